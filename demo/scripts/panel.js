// While slices are scrolled through, the panel speaks of the one that is shown, from what came with its pixels; the
// server's own words, with the heatmap checked, take its place where scrolling rests.
import { el } from "./state.js";

export function tell(record) {
  const here = el("here");
  if (!here) return;
  document.body.classList.toggle("scrolled", Boolean(record));
  here.innerHTML = record ? record.said : "";
  // Thirty slices a second are nothing to be read aloud.
  for (const element of here.querySelectorAll("[role=status], [role=alert]")) {
    element.removeAttribute("role");
    element.removeAttribute("aria-live");
  }
  // What is taken away is the server's slice: not for as long as that is another.
  for (const take of document.querySelectorAll(".take")) take.inert = Boolean(record);
}
