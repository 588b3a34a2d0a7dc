// A series in the browser: slices are fetched ahead with all that is said of them, and scrolled through without the server,
// which hears where scrolling came to rest and then checks the heatmap there.
import { clamp, el, now, say } from "./state.js";
import { draw, redraw } from "./drawing.js";
import { tell } from "./panel.js";
import { unpack } from "./pixels.js";
import { markSlice } from "./series.js";
import { allow, readMap, showMap, showNothing, showSlice } from "./showing.js";

const AHEAD = 40; // slices fetched beyond the one that is shown
const AT_ONCE = 3;
const KEPT = 96 * 2 ** 20; // bytes of pixels
const FAR = 40; // with more slices than this to go, some are passed over
const REST_MS = 250;
const STILL_MS = 120; // after which a slice is drawn at its best
const AGAIN_MS = 1000;

const records = new Map(); // index to {slice, map, result, trust}
const flights = new Map(); // index to what aborts it
let goal = 0;
let direction = 1;
let leap = false; // straight to the goal, not slice by slice
let settled = -1; // the slice that the server speaks of
let walking = 0;
let rest = 0;
let still = 0;
let drawn = 0;

export const slicesDrawn = () => drawn;

// The server names a series and one of its slices.
export function openStack(next) {
  if (!now.stack || now.stack.token !== next.series) {
    closeStack();
    now.stack = { token: next.series, count: next.count, ordered: next.ordered, method: next.method, index: -1 };
    goal = next.index;
    leap = true;
    el("ct-slice").max = next.count;
    el("ct-stack").hidden = next.count < 2;
    allow();
  }
  settled = next.index;
  if (now.stack.index === settled) arrived();
  else if (now.stack.index >= 0 && !rest) settle();
  hurry();
  fetchAhead();
}

export function closeStack() {
  for (const flight of flights.values()) flight.abort();
  flights.clear();
  records.clear();
  cancelAnimationFrame(walking);
  clearTimeout(rest);
  walking = rest = 0;
  now.stack = null;
  settled = -1;
  el("ct-stack").hidden = true;
  tell(null);
}

// Maps of another method: what was fetched has the old one's.
export function useMethod(method) {
  if (!now.stack || now.stack.method === method) return;
  now.stack.method = method;
  for (const flight of flights.values()) flight.abort();
  flights.clear();
  records.clear();
  fetchAhead();
}

// Slice by slice, each of which is drawn.
export function step(by) {
  if (!now.stack) return false;
  if (goal !== now.stack.index && Math.sign(by) !== Math.sign(goal - now.stack.index)) goal = now.stack.index;
  leap = false;
  return aim(goal + by);
}

export function goTo(index) {
  if (!now.stack) return false;
  leap = true;
  return aim(index);
}

export const atEnd = () => now.stack && now.stack.index === now.stack.count - 1;

function aim(index) {
  const next = clamp(index, 0, now.stack.count - 1);
  if (next !== goal) direction = Math.sign(next - goal);
  goal = next;
  el("ct-slice").value = goal + 1;
  hurry();
  fetchAhead();
  return true;
}

function hurry() {
  if (!walking) walking = requestAnimationFrame(advance);
}

// Once a frame: the next slice on the way to the goal.
function advance() {
  walking = 0;
  const { stack } = now;
  if (!stack || stack.index === goal) return;
  const way = goal - stack.index;
  const stride = Math.max(1, Math.floor(Math.abs(way) / FAR));
  const next = leap || stack.index < 0 ? goal : stack.index + Math.sign(way) * stride;
  const record = records.get(next);
  if (!record) return; // it goes on when it arrives
  stack.index = next;
  show(record);
  if (next !== goal) hurry();
}

function show(record) {
  if (record.slice) {
    showSlice(record.slice);
    showMap(record.map);
    now.moving = true;
    allow();
    draw();
  } else showNothing();
  drawn += 1;
  el("ct-slice").value = goal + 1;
  el("ct-count").textContent = say("place", { number: now.stack.index + 1, count: now.stack.count });
  el("ct-slice").setAttribute("aria-valuetext", el("ct-place").textContent || el("ct-count").textContent);
  markSlice(now.stack.index);
  arrived();
}

function arrived() {
  const { index } = now.stack;
  clearTimeout(rest);
  rest = 0;
  clearTimeout(still);
  still = setTimeout(() => {
    now.moving = false;
    redraw();
  }, STILL_MS);
  tell(index === settled ? null : records.get(index));
  if (index !== settled) settle();
}

// Scrolling came to rest: the server follows.
function settle() {
  rest = setTimeout(() => {
    rest = 0;
    const box = document.querySelector("#series-at textarea, #series-at input");
    if (!box || !now.stack || goal !== now.stack.index) return;
    box.value = `${now.stack.token}/${now.stack.index + 1}`;
    box.dispatchEvent(new Event("input", { bubbles: true }));
  }, REST_MS);
}

// ------------------------------------------------------------ fetching

// What is needed soonest first: the way to the goal, then on beyond it, and half as far back.
function* wanted() {
  const { stack } = now;
  const way = Math.sign(goal - stack.index);
  if (stack.index >= 0 && !leap) for (let i = stack.index + way; i !== goal; i += way) yield i;
  yield goal;
  for (let k = 1; k <= AHEAD; k++) {
    yield goal + direction * k;
    if (k % 2 === 0) yield goal - (direction * k) / 2;
  }
}

function fetchAhead() {
  const { stack } = now;
  if (!stack) return;
  for (const index of wanted()) {
    if (index < 0 || index >= stack.count || records.has(index) || flights.has(index)) continue;
    if (flights.size >= AT_ONCE) {
      const urgent = index === goal || Math.abs(index - stack.index) === 1;
      const far = urgent && [...flights.keys()].find((other) => Math.abs(other - goal) > AHEAD / 2);
      if (far === undefined || far === false) return;
      flights.get(far).abort();
      flights.delete(far);
    }
    fetchOne(index);
  }
}

async function fetchOne(index) {
  const { stack } = now;
  const flight = new AbortController();
  flights.set(index, flight);
  let record = null;
  try {
    const address = `${location.pathname.replace(/\/$/, "")}/slices/${stack.token}/${index}/${stack.method}`;
    const answer = await fetch(address, { signal: flight.signal });
    if (answer.status === 200) record = await read(await answer.arrayBuffer());
    else if (answer.status === 204) record = { slice: null, map: null, result: `<p class="result message">${say("gone")}</p>`, trust: "" };
  } catch {
    if (flight.signal.aborted) return;
  }
  if (flights.get(index) !== flight) return;
  if (!record) {
    setTimeout(() => { // no room, or no connection
      if (flights.get(index) === flight) flights.delete(index);
      fetchAhead();
    }, AGAIN_MS);
    return;
  }
  flights.delete(index);
  records.set(index, record);
  drop();
  if (now.stack.index !== goal) hurry();
  else if (index === goal && now.map === null && record.map) { // the map of another method
    showMap(record.map);
    allow();
  }
  fetchAhead();
}

// What `feed.record` wrote: the length of a JSON text, that text, and the pixels.
async function read(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const record = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const { slice } = record;
  readMap(record.map);
  if (slice) slice.hu = await unpack(new Uint8Array(buffer, 4 + length), slice.rows, slice.columns);
  return record;
}

// Beyond the limit those farthest away go.
function drop() {
  let size = 0;
  for (const { slice } of records.values()) size += slice ? slice.hu.byteLength : 0;
  const byDistance = [...records.keys()].sort((a, b) => Math.abs(b - goal) - Math.abs(a - goal));
  while (size > KEPT && byDistance.length > 2) {
    const { slice } = records.get(byDistance[0]);
    size -= slice ? slice.hu.byteLength : 0;
    records.delete(byDistance.shift());
  }
}
