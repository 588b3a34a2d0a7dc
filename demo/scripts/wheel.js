// The wheel over the picture is the picture's: it scrolls through a series, and zooms where there is none.
import { el, now } from "./state.js";
import { stopCine } from "./cine.js";
import { redraw } from "./drawing.js";
import { ZOOM, zoomBy } from "./geometry.js";
import { step } from "./stack.js";

const NOTCH = 50; // pixels: at least so much comes of one notch of a wheel, while a trackpad sends little by little
const TRACKPAD = 40; // pixels of a trackpad that are one slice
const LINE = 34; // pixels, where a browser counts in lines
let gathered = 0;

export function listenWheel(at) {
  el("ct-stage").addEventListener("wheel", (event) => {
    if (!now.slice && !now.stack) return;
    event.preventDefault();
    const steps = stepsOf(event.deltaY * (event.deltaMode === 1 ? LINE : event.deltaMode === 2 ? 400 : 1));
    if (!event.ctrlKey && now.stack) {
      if (!steps) return;
      stopCine();
      // Down is towards the feet, which are the first slices; a list has no feet.
      step(now.stack.ordered ? -steps : steps);
    } else if (event.ctrlKey && Math.abs(event.deltaY) < NOTCH) {
      zoomBy(Math.exp(-event.deltaY / 100), at(event)); // two fingers on a trackpad
      redraw();
    } else if (steps) {
      zoomBy(ZOOM.step ** -steps, at(event));
      redraw();
    }
  }, { passive: false });
}

function stepsOf(delta) {
  if (Math.abs(delta) >= NOTCH) {
    gathered = 0;
    return Math.sign(delta) * Math.max(1, Math.round(Math.abs(delta) / 120));
  }
  if (Math.sign(delta) !== Math.sign(gathered)) gathered = 0;
  gathered += delta;
  const steps = Math.trunc(gathered / TRACKPAD);
  gathered -= steps * TRACKPAD;
  return steps;
}
