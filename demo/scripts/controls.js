// The controls above and below the picture.
import { el, now } from "./state.js";
import { stopCine, toggleCine } from "./cine.js";
import { redraw } from "./drawing.js";
import { ZOOM, fit, zoomBy } from "./geometry.js";
import { goTo } from "./stack.js";
import { markPreset, preset, setWindow, startWindow, windowNow } from "./windows.js";

export function toggle(id) {
  if (!el(id).disabled) el(id).checked = !el(id).checked;
  redraw();
}

const NARROW = 700;

// The picture as it was at first; what is shown of the model stays.
export function reset() {
  if (!now.slice) return;
  fit();
  startWindow();
  el("ct-invert").checked = false;
  now.ruler = null;
  redraw();
}

const ACTS = {
  "ct-fit": fit,
  "ct-reset": reset,
  "ct-in": () => zoomBy(ZOOM.step),
  "ct-out": () => zoomBy(1 / ZOOM.step),
  "ct-play": toggleCine,
  "ct-help": () => {
    const shown = el("ct").classList.toggle("keys");
    el("ct-help").setAttribute("aria-expanded", String(shown));
  },
};

export function listenControls() {
  const stage = el("ct-stage");
  if (innerWidth < NARROW) ACTS["ct-help"](); // where there are no keys they are not listed
  el("ct").addEventListener("input", (event) => {
    const { name, id, value } = event.target;
    if (id === "ct-slice") {
      stopCine();
      goTo(value - 1);
      return;
    }
    if (name === "ct-window") setWindow(...preset(value));
    if (id === "ct-centre" || id === "ct-width") markPreset();
    if (name === "ct-tool") el("ct").dataset.tool = value;
    redraw();
  });
  el("ct").addEventListener("click", (event) => {
    const act = ACTS[event.target.closest("button")?.id];
    if (act) {
      act();
      redraw();
    }
    // After a click with the mouse the keys are the picture's again; who tabs stays where he is.
    if (event.detail > 0 && event.target.closest("button, input[type=checkbox], input[type=radio]")) {
      stage.focus({ preventScroll: true });
    }
  });
  for (const id of ["ct-centre", "ct-width"]) {
    el(id).addEventListener("change", () => {
      setWindow(windowNow().centre, windowNow().width);
      redraw();
    });
  }
  new ResizeObserver(redraw).observe(stage);
}
