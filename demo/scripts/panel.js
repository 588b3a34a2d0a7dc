// While slices are scrolled through, the panel speaks of the one that is shown, from what came with its pixels; the
// server's own words, with the heatmap checked, take its place where scrolling rests.
import { el } from "./state.js";

export function tell(record) {
  document.body.classList.toggle("scrolled", Boolean(record));
  for (const part of ["result", "trust"]) {
    const here = el(`here-${part}`);
    if (!here) continue;
    here.innerHTML = record ? record[part] : "";
    // Thirty slices a second are nothing to be read aloud.
    for (const element of here.querySelectorAll("[role=status], [role=alert]")) {
      element.removeAttribute("role");
      element.removeAttribute("aria-live");
    }
  }
  // What is taken away is the server's slice: not for as long as that is another.
  for (const take of document.querySelectorAll(".take")) take.inert = Boolean(record);
}
