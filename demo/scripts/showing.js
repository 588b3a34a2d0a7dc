// What is shown changes: another slice, another map, or none.
import { bytes, el, now } from "./state.js";
import { redraw, redrawAll } from "./drawing.js";
import { fit } from "./geometry.js";
import { allowWindows, startWindow } from "./windows.js";
import { allowSigned } from "./words.js";

let last = null; // the slice before: what was set for it stays where it fits the next

export function showSlice(next) {
  const another = !last || last.rows !== next.rows || last.columns !== next.columns || last.series !== next.series;
  const sameKind = last && last.calibrated === next.calibrated;
  now.slice = last = next;
  if (now.map && now.map.slice !== next.id) now.map = null;
  if (another) fit();
  if (!sameKind) startWindow();
}

export function readMap(text) {
  if (text) text.cells = new Float32Array(bytes(text.cells).buffer);
  return text;
}

export function showMap(next) {
  now.map = next;
  if (!next) return;
  const wanted = document.querySelector("#explain-class input:checked")?.value || next.class;
  now.chosen = Math.max(0, next.classes.indexOf(wanted));
}

export function showNothing() {
  now.slice = now.map = now.ruler = null;
  allow();
  redrawAll();
}

let allowed = "";

// Which controls there are for it.
export function allow() {
  const { slice, map } = now;
  const key = [Boolean(slice), Boolean(slice?.drawn), slice?.calibrated, Boolean(slice?.window), map?.method, Boolean(now.stack)].join();
  redraw();
  if (key === allowed) return;
  allowed = key;
  const root = el("ct");
  root.classList.toggle("empty", !slice);
  root.classList.toggle("plain", !map);
  root.classList.toggle("stacked", Boolean(now.stack));
  for (const id of ["ct-heat", "ct-contour", "ct-opacity", "ct-grid", "ct-peak"]) el(id).disabled = !map;
  el("ct-drawn").disabled = !now.slice?.drawn;
  for (const radio of document.querySelectorAll("input[name=ct-mode]")) radio.disabled = !map && radio.value !== "overlay";
  for (const control of document.querySelectorAll("#ct-in, #ct-out, #ct-fit, #ct-reset, #ct-invert, input[name=ct-tool]")) {
    control.disabled = !slice;
  }
  allowSigned();
  allowWindows();
}
