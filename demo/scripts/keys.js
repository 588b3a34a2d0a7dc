// Keys on the picture; the space bar switches the heatmap from most other places, too.
import { el, now } from "./state.js";
import { stopCine, toggleCine } from "./cine.js";
import { redraw } from "./drawing.js";
import { ZOOM, fit, pan, zoomBy } from "./geometry.js";
import { reset, toggle } from "./controls.js";
import { goTo, step } from "./stack.js";

const PAGE = 10; // slices
const SHARE = 20; // of the picture, that an arrow moves it

export function listenKeys() {
  const stage = el("ct-stage");
  stage.addEventListener("keydown", (event) => {
    if ((!now.slice && !now.stack) || event.target !== stage) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if ((now.stack && inStack(event.key)) || (now.slice && onPicture(event.key))) event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== " " || event.repeat || !now.map) return;
    const target = event.target;
    const free = target === document.body || target === stage || target.matches?.("#ct input[type=radio], #ct input[type=range]");
    if (!free) return;
    event.preventDefault();
    toggle("ct-heat");
  });
}

// Up is towards the head, which is the last slice; of a list the first is on top.
function inStack(key) {
  const up = now.stack.ordered ? 1 : -1;
  const by = { ArrowUp: up, ArrowDown: -up, PageUp: PAGE * up, PageDown: -PAGE * up }[key];
  const ends = { Home: up > 0 ? now.stack.count - 1 : 0, End: up > 0 ? 0 : now.stack.count - 1 };
  if (by !== undefined) {
    stopCine();
    return step(by);
  }
  if (key in ends) {
    stopCine();
    return goTo(ends[key]);
  }
  if (key.toLowerCase() !== "c") return false;
  toggleCine();
  return true;
}

function onPicture(key) {
  const move = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[key];
  if (move && now.view.zoom > 1) {
    const { clientWidth: width, clientHeight: height } = el("ct-stage");
    pan((move[0] * width) / SHARE, (move[1] * height) / SHARE);
  } else if (key === "+" || key === "=") zoomBy(ZOOM.step);
  else if (key === "-") zoomBy(1 / ZOOM.step);
  else if (key === "0") fit();
  else if (key.toLowerCase() === "i") toggle("ct-invert");
  else if (key.toLowerCase() === "r") reset();
  else if (key === "Escape" && now.ruler) now.ruler = null;
  else return false;
  redraw();
  return true;
}
