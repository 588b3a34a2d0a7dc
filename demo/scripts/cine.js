// The series as a film, to and fro between its ends, until anything else is done with it.
import { el, now } from "./state.js";
import { step } from "./stack.js";

const FRAME_MS = 100;
let timer = 0;
let way = 1;

export function toggleCine() {
  if (timer) return stopCine();
  if (!now.stack || now.stack.count < 2) return undefined;
  timer = setInterval(() => {
    if (!now.stack) return stopCine();
    const { index, count } = now.stack;
    if (index + way < 0 || index + way >= count) way = -way;
    return step(way);
  }, FRAME_MS);
  return mark();
}

export function stopCine() {
  clearInterval(timer);
  timer = 0;
  mark();
}

function mark() {
  const button = el("ct-play");
  button.setAttribute("aria-pressed", String(Boolean(timer)));
  button.textContent = timer ? "⏸" : "▶";
}
