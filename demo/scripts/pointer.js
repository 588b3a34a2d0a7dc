// Mouse and fingers on the picture: scroll, move, window, measure, zoom.
import { el, now } from "./state.js";
import { stopCine } from "./cine.js";
import { redraw } from "./drawing.js";
import { fit, pan, toSlice, zoomBy } from "./geometry.js";
import { step } from "./stack.js";
import { listenWheel } from "./wheel.js";
import { markPreset, setWindow, windowNow } from "./windows.js";
import { describeCursor } from "./words.js";

const PER_SLICE = 8; // pixels that a finger moves for the next slice

const tool = () => document.querySelector("input[name=ct-tool]:checked")?.value ?? "move";

const at = (event) => {
  const box = el("ct-stage").getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
};

export function listenPointer() {
  const stage = el("ct-stage");
  const pointers = new Map();
  let drag = null;
  stage.addEventListener("pointerdown", (event) => {
    if (!now.slice || event.target === el("ct-handle")) return;
    stage.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, at(event));
    drag = { from: at(event), rest: 0, kind: kindOf(event), ...windowNow() };
    if (drag.kind === "ruler" && pointers.size === 1) {
      const place = toSlice(...drag.from);
      now.ruler = place && { slice: now.slice.id, from: place, to: place };
    }
  });
  stage.addEventListener("pointermove", (event) => {
    now.cursor = at(event);
    describeCursor();
    const before = pointers.get(event.pointerId);
    if (!before || !now.slice) return;
    const place = at(event);
    pointers.set(event.pointerId, place);
    if (pointers.size === 2) pinch(pointers, event.pointerId, before, place);
    else if (drag) follow(drag, before, place);
  });
  for (const name of ["pointerup", "pointercancel"]) {
    stage.addEventListener(name, (event) => {
      pointers.delete(event.pointerId);
      if (!pointers.size) drag = null;
    });
  }
  stage.addEventListener("pointerleave", () => {
    now.cursor = null;
    describeCursor();
  });
  stage.addEventListener("contextmenu", (event) => event.preventDefault());
  stage.addEventListener("dblclick", (event) => {
    if (!now.slice || tool() !== "move") return;
    if (now.view.zoom > 1) fit();
    else zoomBy(2.5, at(event));
    redraw();
  });
  listenWheel(at);
  listenHandle();
}

function kindOf(event) {
  if (event.button === 2 || event.shiftKey) return "window";
  if (event.button === 1) return "pan";
  return tool() === "move" ? (now.view.zoom > 1 ? "pan" : "scroll") : tool();
}

function pinch(pointers, moved, before, place) {
  const other = [...pointers.entries()].find(([id]) => id !== moved)[1];
  const reach = (point) => Math.hypot(point[0] - other[0], point[1] - other[1]);
  const middle = [(place[0] + other[0]) / 2, (place[1] + other[1]) / 2];
  zoomBy(reach(place) / Math.max(1, reach(before)), middle);
  if (now.view.zoom > 1) pan((place[0] - before[0]) / 2, (place[1] - before[1]) / 2);
  redraw();
}

function follow(drag, before, place) {
  const [dx, dy] = [place[0] - before[0], place[1] - before[1]];
  if (drag.kind === "window") {
    if (!now.slice.calibrated) return;
    setWindow(drag.centre + 2 * (place[1] - drag.from[1]), drag.width + 3 * (place[0] - drag.from[0]));
    markPreset();
  } else if (drag.kind === "ruler") {
    const to = toSlice(...place);
    if (to && now.ruler) now.ruler.to = to;
  } else if (drag.kind === "pan" && now.view.zoom > 1) pan(dx, dy);
  else if (drag.kind === "scroll" && now.stack) {
    drag.rest += dy;
    const steps = Math.trunc(drag.rest / PER_SLICE);
    drag.rest -= steps * PER_SLICE;
    if (steps) {
      stopCine();
      step(now.stack.ordered ? -steps : steps);
    }
    return;
  } else return;
  redraw();
}

// The border between slice and overlay.
function listenHandle() {
  const handle = el("ct-handle");
  const move = (share) => {
    now.swipe = Math.max(0, Math.min(1, share));
    redraw();
  };
  handle.addEventListener("pointerdown", (event) => {
    handle.setPointerCapture(event.pointerId);
    event.stopPropagation();
  });
  handle.addEventListener("pointermove", (event) => {
    if (handle.hasPointerCapture(event.pointerId)) move(at(event)[0] / el("ct-stage").clientWidth);
  });
  handle.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -0.02, ArrowDown: -0.02, ArrowRight: 0.02, ArrowUp: 0.02, Home: -1, End: 1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    move(now.swipe + by);
  });
}
