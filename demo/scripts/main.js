// Data come in from Python, and everything starts.
import { bytes, el, now } from "./state.js";
import { listenClasses } from "./class_choice.js";
import { listenControls } from "./controls.js";
import { listenDrops, save } from "./files.js";
import { redraw } from "./drawing.js";
import { panes, toScreen } from "./geometry.js";
import { listenKeys } from "./keys.js";
import { startLinks } from "./links.js";
import { unpack } from "./pixels.js";
import { listenPointer } from "./pointer.js";
import { lengthOf } from "./ruler.js";
import { listenSeries } from "./series.js";
import { allow, readMap, showMap, showNothing, showSlice } from "./showing.js";
import { closeStack, openStack, slicesDrawn, useMethod } from "./stack.js";

async function takeSlice(text) {
  const next = text ? JSON.parse(text) : null;
  if (!next) {
    closeStack();
    return showNothing();
  }
  const before = now.stack?.token;
  if (next.series) {
    openStack(next);
    if (before !== next.series) comeToView();
    return undefined;
  }
  next.hu = await unpack(bytes(next.hu), next.rows, next.columns);
  if (el("slice-data").textContent.trim() !== text) return undefined; // another came meanwhile
  closeStack();
  showSlice(next);
  allow();
  takeMap(el("map-data").textContent.trim());
  return comeToView();
}

function takeMap(text) {
  const next = text ? readMap(JSON.parse(text)) : null;
  if (next) useMethod(next.method);
  if (next && (!now.slice || next.slice !== now.slice.id)) return; // of a slice that has gone, or is yet to come
  if (!next && now.stack) return; // a series brings its own
  showMap(next);
  allow();
}

// Whoever clicked an example has the result before them: the space bar is the heatmap's, not the example's again.
function comeToView() {
  if (now.unasked) return;
  const focus = document.activeElement;
  if (focus && focus !== document.body && !focus.closest(".examples, #upload")) return;
  el("ct-stage").focus({ preventScroll: true });
  if (innerWidth < 700) el("ct").scrollIntoView({ block: "start", behavior: "smooth" });
}

function watch(id, take) {
  let last = null;
  const look = () => {
    const text = el(id).textContent.trim();
    if (text !== last) {
      last = text;
      take(text);
    }
  };
  const box = el(id).closest(".data-host");
  new MutationObserver(look).observe(box, { childList: true, subtree: true, characterData: true });
  look();
}

function start() {
  if (!el("map-data") || !el("ct-stage")) return false;
  for (const listen of [listenControls, listenPointer, listenKeys, listenClasses, listenSeries, listenDrops]) listen();
  watch("slice-data", takeSlice);
  watch("map-data", takeMap);
  watch("download-data", (text) => text && save(el("download-data")));
  startLinks();
  document.addEventListener("lungcnn:language", redraw);
  window.ctViewer = { toScreen: (x, y, pane = 0) => toScreen(panes()[pane], x, y), drawn: slicesDrawn, ruler: () => now.ruler && lengthOf(now.ruler) };
  return true;
}

if (!start()) {
  const waiting = new MutationObserver(() => start() && waiting.disconnect());
  waiting.observe(document.documentElement, { childList: true, subtree: true });
}
