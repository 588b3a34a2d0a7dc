// Everything that is written over or around the picture.
import { className, el, now, number, say, whole } from "./state.js";
import { CONTOUR_LEVEL, colours, evidenceAt, isSigned, signs } from "./layers.js";
import { mode, scaleOf, toSlice } from "./geometry.js";
import { peak } from "./maps.js";
import { windowNow } from "./windows.js";

const NICE_MM = [1, 2, 5, 10, 20, 50, 100, 200];

const shown = () => Boolean(now.map && el("ct-heat").checked);

export function describe(pane) {
  const { slice, map } = now;
  const { centre, width } = windowNow();
  const found = map && peak(map, now.chosen);
  const name = map ? className(map.classes[now.chosen]) : "";
  el("ct-place").textContent = place();
  el("ct-caption").textContent = map ? say(isSigned() ? "caption_signed" : "caption", { name, method: map.title }) : "";
  allowSigned();
  el("ct-cells").textContent = !map ? "" : map.cell_mm
    ? say("cells_mm", { rows: map.rows, columns: map.columns, height: map.cell_mm[0].toFixed(0), width: map.cell_mm[1].toFixed(0) })
    : say("cells", { rows: map.rows, columns: map.columns });
  el("ct-level").textContent = say("window", { centre: whole(centre), width: whole(width) });
  describeCursor();
  scaleBar(pane);
  for (const side of ["left", "right", "top", "bottom"]) {
    el(`ct-${side}`).textContent = slice.sides ? slice.sides[side] : "";
    el(`ct-${side}`).hidden = !slice.sides;
  }
  colourBar();
  el("ct-peak-text").textContent = !shown() ? "" : !found
    ? say("no_peak", { name })
    : el("ct-contour").checked
      ? say("contour", { value: number(found.value * CONTOUR_LEVEL), unit: map.unit })
      : say("peak", { value: number(found.value), unit: map.unit, x: inFile(found.x), y: inFile(found.y) });
  el("ct-handle").hidden = mode() !== "swipe";
  el("ct-handle").style.left = `${now.swipe * 100}%`;
  el("ct-handle").setAttribute("aria-valuenow", Math.round(now.swipe * 100));
  el("ct").classList.toggle("enlarged", now.view.zoom > 1);
  el("ct-zoom").textContent = `${Math.round(now.view.zoom * 100)} %`;
  el("ct-opacity-value").textContent = `${el("ct-opacity").value} %`;
  const label = shown() ? (found ? "alt_heat" : "alt_no_peak") : "alt_slice";
  const where = { name, x: found ? inFile(found.x) : "", y: found ? inFile(found.y) : "" };
  const text = say(label, where) + (shown() && isSigned() ? say("alt_signed") : "");
  el("ct-canvas").setAttribute("aria-label", now.stack ? `${place()}. ${text}` : text);
}

const inFile = (value) => whole(value * now.slice.shrink);

// "93 / 133, z −120.5 mm"
export function place() {
  const { stack, slice } = now;
  if (!stack) return "";
  const mm = slice && slice.place != null ? say("place_mm", { mm: slice.place.toFixed(1).replace("-", "−") }) : "";
  return say("place", { number: stack.index + 1, count: stack.count }) + mm;
}

// The longest of the usual lengths that stays short on the screen.
function scaleBar(pane) {
  const perMm = now.slice.spacing ? scaleOf(pane) / now.slice.spacing[1] : 0;
  const mm = perMm && NICE_MM.filter((length) => length * perMm <= 140).pop();
  el("ct-scale").hidden = !mm;
  if (mm) {
    el("ct-scale").style.width = `${mm * perMm}px`;
    el("ct-scale").textContent = say("mm", { length: mm });
  }
}

let painted = "";

function colourBar() {
  el("ct-bar").hidden = !shown() || el("ct-contour").checked;
  if (!shown()) return;
  const { map } = now;
  const signed = isSigned();
  el("ct-most").textContent = number(map.scale);
  el("ct-half").textContent = signed ? "0" : number(map.scale / 2);
  el("ct-least").textContent = signed ? number(-map.scale) : "0";
  el("ct-unit").textContent = map.unit;
  const key = [el("ct-colours").value, signed].join();
  if (key === painted) return;
  painted = key;
  const gradient = el("ct-gradient");
  gradient.width = 1;
  gradient.height = 256;
  const context = gradient.getContext("2d");
  const image = context.createImageData(1, 256);
  const table = colours();
  const [pro, contra] = signs();
  for (let i = 0; i < 256; i++) {
    const share = 1 - i / 127.5; // 1 at the top, -1 at the bottom
    const colour = signed ? (share < 0 ? contra : pro) : table.subarray(3 * (255 - i), 3 * (255 - i) + 3);
    image.data.set(colour, 4 * i);
    image.data[4 * i + 3] = signed ? 255 * Math.abs(share) : 255;
  }
  context.putImageData(image, 0, 0);
}

export function describeCursor() {
  const { slice, cursor } = now;
  const at = cursor && slice && toSlice(...cursor);
  const [x, y] = at ? at.map(Math.floor) : [-1, -1];
  const inside = x >= 0 && y >= 0 && slice && x < slice.columns && y < slice.rows;
  const evidence = inside && shown() ? evidenceAt(x, y) : null;
  el("ct-cursor").textContent = inside
    ? say(slice.calibrated ? "hu" : "hu_estimated", {
      x: x * slice.shrink, y: y * slice.shrink, value: whole(slice.hu[y * slice.columns + x]),
    }) + (evidence === null ? "" : say("evidence", { value: number(evidence), unit: now.map.unit }))
    : "";
}

// Maps without a sign, and the outline, show only what speaks for the class.
export function allowSigned() {
  const { map } = now;
  const box = el("ct-signed");
  box.disabled = !(map && map.signed) || el("ct-contour").checked;
  box.title = box.labels[0].title = map && !map.signed ? say("unsigned", { method: map.title }) : say("signed");
  el("ct-colours").disabled = !map || isSigned();
}
