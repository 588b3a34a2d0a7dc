// A series below the viewer: profile, findings and table lead to slices, and show where the one that is shown lies.
import { el, now } from "./state.js";
import { goTo } from "./stack.js";

export function markSlice(index) {
  const profile = el("profile");
  if (!profile) return;
  const x = ((index + 0.5) * profile.viewBox.baseVal.width) / profile.dataset.count;
  for (const end of ["x1", "x2"]) el("profile-now").setAttribute(end, x);
  for (const item of document.querySelectorAll("#series-table [data-row], .jump, #series-findings li")) {
    const [first, last] = (item.dataset.slices ?? item.dataset.row ?? item.dataset.slice).split("-");
    if (index >= +first && index <= +(last ?? first)) item.setAttribute("aria-current", "true");
    else item.removeAttribute("aria-current");
  }
}

export function listenSeries() {
  document.addEventListener("click", (event) => {
    const sorter = event.target.closest?.("#series-table [data-sort]");
    if (sorter) return sortBy(sorter);
    const run = event.target.closest?.("#series-table [data-run]");
    if (run) return unfold(run);
    const button = event.target.closest?.("[data-slice]");
    if (button) return goTo(+button.dataset.slice);
    const profile = event.target.closest?.("#profile");
    if (!profile) return null;
    const box = profile.getBoundingClientRect();
    return goTo(Math.floor(((event.clientX - box.left) / box.width) * profile.dataset.count));
  });
  new MutationObserver((changes) => {
    if (!now.stack || now.stack.index < 0) return;
    if (changes.some((change) => change.target.closest?.("#series, .series-panel") || change.target.querySelector?.("#profile"))) {
      markSlice(now.stack.index);
    }
  }).observe(document.body, { childList: true, subtree: true });
}

// Slices in a row that were not judged are one line until they are asked for.
function unfold(button) {
  const open = button.getAttribute("aria-expanded") !== "true";
  button.setAttribute("aria-expanded", String(open));
  for (const row of document.querySelectorAll(`#series-table tr[data-in="${button.dataset.run}"]`)) row.hidden = !open;
}

// By a column: the first slice first, but of all else the most; what was not judged comes last, rows of a fold behind it.
function sortBy(button) {
  const head = button.closest("th");
  const column = head.cellIndex;
  const before = head.getAttribute("aria-sort");
  const ascending = before ? before === "descending" : column === 0;
  for (const other of head.parentElement.children) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  const body = head.closest("table").tBodies[0];
  const place = (row) => parseInt(row.dataset.row, 10) + (row.dataset.from ? -0.5 : 0);
  const key = (row) => (row.dataset.in && column ? "" : row.children[column].dataset.value ?? "");
  const compare = (a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === "" || y === "") return (x === "") - (y === "") || place(a) - place(b);
    const order = Number.isNaN(+x) || Number.isNaN(+y) ? x.localeCompare(y) : x - y;
    return (ascending ? order : -order) || place(a) - place(b);
  };
  body.append(...[...body.rows].sort(compare));
}
