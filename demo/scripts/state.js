// What the parts of the viewer share: what is shown, and how.
//
// Python writes two hidden elements: #slice-data (the slice in HU, or which slice of a series) and #map-data (the maps of
// all classes over the lung crop). Coordinates are the slice's: x right, y down, pixel centres at half-integers.

export const now = {
  slice: null, // {rows, columns, hu, ...}
  map: null, // {classes, cells, box, ...}
  chosen: 0, // index of the class that is shown
  view: { zoom: 1, x: 0, y: 0 },
  swipe: 0.5,
  cursor: null, // the pointer's place on the stage
  ruler: null, // {slice, from, to} in the slice's pixels
  stack: null, // the series: {token, count, index, ordered}
  unasked: false, // shown without anyone having asked for it
  moving: false, // scrolled through: drawn quickly, and once more at rest
};

export const el = (id) => document.getElementById(id);

const parsed = {};

export const attribute = (name) => (parsed[name] ??= JSON.parse(el("ct").dataset[name]));

const filled = (text, values) => text.replace(/\{(\w+)\}/g, (_, key) => values[key]);

// A text by its name among the viewer's, in the page's language (`language.js`).
export function say(name, values = {}) {
  const english = filled(attribute("texts")[name], values);
  return window.lungcnnTold?.(`viewer.${name}`, values, english) ?? english;
}

export const className = (name) => window.lungcnnTold?.(`class_names.${name}`, {}, name) ?? name;

export const number = (value) => String(+value.toPrecision(2)).replace("-", "−");

export const whole = (value) => String(Math.round(value)).replace("-", "−");

export function bytes(text) {
  const characters = atob(text);
  const found = new Uint8Array(characters.length);
  for (let i = 0; i < found.length; i++) found[i] = characters.charCodeAt(i);
  return found;
}

export const clamp = (value, least, most) => Math.max(least, Math.min(most, value));
