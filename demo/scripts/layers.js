// Pictures at the slice's own resolution: the slice in grey, the map in colours. Made when needed, kept while they hold.
import { attribute, bytes, el, now } from "./state.js";
import { contour, spread } from "./maps.js";
import { inverted, windowNow } from "./windows.js";

export const CONTOUR_LEVEL = 0.5;
const made = { grey: null, greyOf: null, greyKey: "", heat: null, heatOf: null, heatKey: "", values: null, outline: null };

const tables = {};

export function colours() {
  const name = el("ct-colours").value;
  return (tables[name] ??= bytes(attribute("colours")[name]));
}

// For and against the class, in the colours of `lungcnn.SIGNS`.
export const signs = () => attribute("signs");

export const isSigned = () => Boolean(now.map && now.map.signed && el("ct-signed").checked && !el("ct-contour").checked);

const layers = {};

// A canvas of a name, made once for each size: new ones for each slice cost more than the drawing. `data` is its pixels.
function layer(name, columns, rows) {
  const old = layers[name];
  if (old && old.canvas.width === columns && old.canvas.height === rows) return old;
  const canvas = document.createElement("canvas");
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d");
  return (layers[name] = { canvas, context, image: context.createImageData(columns, rows) });
}

export function grey() {
  const { slice } = now;
  const { centre, width } = windowNow();
  const key = [centre, width, inverted()].join();
  if (slice === made.greyOf && key === made.greyKey) return made.grey;
  const low = centre - width / 2;
  const gain = 255 / width;
  const flip = inverted() ? 255 : 0;
  const { canvas, context, image } = layer("grey", slice.columns, slice.rows);
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < pixels.length; i++) {
    const level = Math.max(0, Math.min(255, ((slice.hu[i] - low) * gain + 0.5) | 0)) ^ flip;
    pixels[i] = 0xff000000 | (level << 16) | (level << 8) | level;
  }
  context.putImageData(image, 0, 0);
  Object.assign(made, { grey: canvas, greyOf: slice, greyKey: key });
  return canvas;
}

// The table of a colour for each strength 0 to 1, with the sign's two colours where it is shown.
export function painter() {
  const signed = isSigned();
  const table = colours();
  const [pro, contra] = signs();
  return (value, data, j) => {
    const share = value / (now.map.scale || 1);
    const strength = Math.min(1, signed ? Math.abs(share) : Math.max(0, share));
    if (!(strength > 0)) return;
    const source = signed ? (share < 0 ? contra : pro) : table;
    const index = signed ? 0 : 3 * ((strength * 255 + 0.5) | 0);
    data[j] = source[index];
    data[j + 1] = source[index + 1];
    data[j + 2] = source[index + 2];
    data[j + 3] = strength * 255 + 0.5;
  };
}

const heatKey = () => [now.chosen, el("ct-colours").value, isSigned()].join();
const heatHolds = () => now.map === made.heatOf && heatKey() === made.heatKey;

// Colour and opacity both grow with the map, on one scale for all classes: a weak map looks weak.
export function heat() {
  const { slice } = now;
  if (heatHolds()) return made.heat;
  const values = spread(now.map, now.chosen, slice);
  const { canvas, context, image } = layer("heat", slice.columns, slice.rows);
  image.data.fill(0);
  const paint = painter();
  for (let i = 0; i < values.length; i++) if (values[i]) paint(values[i], image.data, 4 * i);
  context.putImageData(image, 0, 0);
  Object.assign(made, { heat: canvas, heatOf: now.map, heatKey: heatKey(), values, outline: null });
  return canvas;
}

export function outline() {
  heat();
  made.outline ??= { path: contour(made.values, now.slice, CONTOUR_LEVEL) };
  return made.outline.path;
}

// The map's value at a pixel, or null where none is shown.
export const evidenceAt = (x, y) => (now.map && heatHolds() ? made.values[y * now.slice.columns + x] : null);

// The cells of one class as a small picture, in the colours of the map.
export function cellsOf(index) {
  const { rows, columns, cells } = now.map;
  const { canvas, context, image } = layer("cells", columns, rows);
  image.data.fill(0);
  const paint = painter();
  for (let i = 0; i < rows * columns; i++) paint(cells[index * rows * columns + i], image.data, 4 * i);
  context.putImageData(image, 0, 0);
  return canvas;
}

export function forget() {
  made.greyOf = made.heatOf = null;
}
