// The address says which example is open and how it is looked at: `?example=NAME&class=...&mode=...&window=...`. So a link
// opens it, and a page that is loaded again shows what it showed. An upload is never named: it is gone with its page.
import { el, now } from "./state.js";
import { chooseClass } from "./class_choice.js";
import { redraw } from "./drawing.js";
import { preset, setWindow } from "./windows.js";

const FIRST = "arch-spiculated-mass"; // what a first visitor sees, in the place of an empty viewer
const NONE = "none";
const LOOK_MS = 150;
const PATIENCE_MS = 120_000;
let open = NONE;
let touched = false;

const buttonOf = (name) => document.getElementById(`example-${name}`);
const chosenOf = (name) => document.querySelector(`input[name=${name}]:checked`)?.value;

export function startLinks() {
  const asked = new URLSearchParams(location.search);
  const name = asked.get("example") ?? FIRST;
  listenToExamples();
  if (name === NONE) return;
  now.unasked = true; // neither focus nor page move for it
  when(() => document.querySelector(".examples button") && document.readyState === "complete", () => {
    const button = buttonOf(name) ?? buttonOf(FIRST); // an old link may name one that is no more
    if (touched || !button) return;
    button.click();
    const opened = open;
    when(() => now.slice, () => open === opened && take(asked));
  });
}

// Wait until something is so, without end for neither.
function when(isSo, then, since = performance.now()) {
  if (isSo()) then();
  else if (performance.now() - since < PATIENCE_MS) setTimeout(() => when(isSo, then, since), LOOK_MS);
}

function take(asked) {
  const window = asked.get("window");
  const radio = window && [...document.querySelectorAll("input[name=ct-window]")].find((one) => one.value === window);
  if (radio && !radio.disabled && preset(window)) {
    radio.checked = true;
    setWindow(...preset(window));
  }
  const mode = [...document.querySelectorAll("input[name=ct-mode]")].find((one) => one.value === asked.get("mode"));
  if (mode) mode.checked = true;
  redraw();
  const wanted = asked.get("class");
  if (wanted) when(() => now.map, () => open !== NONE && chooseClass(wanted));
}

function listenToExamples() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.(".examples button");
    if (event.isTrusted) {
      touched = touched || Boolean(event.target.closest?.("#upload, .examples, #clear"));
      if (button) now.unasked = false;
    }
    if (button) open = button.id.replace(/^example-/, "");
    if (event.target.closest?.("#clear")) open = NONE;
    remember();
  });
  const upload = () => {
    touched = true;
    open = "";
    now.unasked = false;
    remember();
  };
  document.addEventListener("drop", upload, true);
  document.addEventListener("change", (event) => (event.target.closest?.("#upload") ? upload() : remember()), true);
}

let remembering = 0;
let lastClass = ""; // its choice is off the page while a slice is judged

function remember() {
  clearTimeout(remembering);
  remembering = setTimeout(() => {
    const address = new URL(location.href);
    lastClass = document.querySelector("#explain-class input:checked")?.value ?? lastClass;
    const state = { example: open };
    if (open && open !== NONE) {
      state.class = lastClass;
      state.mode = chosenOf("ct-mode") === "overlay" ? "" : chosenOf("ct-mode");
      state.window = chosenOf("ct-window") === "lung" ? "" : chosenOf("ct-window");
    }
    for (const name of ["example", "class", "mode", "window"]) {
      if (state[name]) address.searchParams.set(name, state[name]);
      else address.searchParams.delete(name);
    }
    if (address.href !== location.href) history.replaceState(history.state, "", address);
  }, LOOK_MS);
}
