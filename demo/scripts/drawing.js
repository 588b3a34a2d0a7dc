// The stage is drawn: slice, heatmap, marks.
import { el, now } from "./state.js";
import { CONTOUR_LEVEL, forget, grey, heat, isSigned, outline, signs } from "./layers.js";
import { mode, panes, scaleOf, toScreen } from "./geometry.js";
import { peak } from "./maps.js";
import { inverted, windowNow } from "./windows.js";
import { describe } from "./words.js";
import { drawRuler } from "./ruler.js";
import { drawSmallMaps } from "./small_maps.js";

let frame = 0;
let settingsTimer = 0;

export function redraw() {
  if (!frame) frame = requestAnimationFrame(draw);
  clearTimeout(settingsTimer);
  settingsTimer = setTimeout(tellSettings, 120);
}

export function redrawAll() {
  forget();
  redraw();
}

export function draw() {
  cancelAnimationFrame(frame);
  frame = 0;
  const canvas = el("ct-canvas");
  const { clientWidth: width, clientHeight: height } = el("ct-stage");
  const ratio = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  if (!now.slice) return;
  const [first, second] = panes();
  const withHeat = now.map && el("ct-heat").checked;
  if (second) {
    drawPane(context, first, false);
    drawPane(context, second, withHeat);
  } else {
    drawPane(context, first, withHeat && mode() !== "swipe");
    if (withHeat && mode() === "swipe") {
      context.save();
      context.beginPath();
      context.rect(now.swipe * width, 0, width, height);
      context.clip();
      drawPane(context, first, true);
      context.restore();
    }
  }
  drawMarks(context, second || first);
  drawDrawn(context, first);
  drawRuler(context, second || first);
  drawSmallMaps();
  describe(second || first);
}

function clipTo(context, pane) {
  context.beginPath();
  context.rect(pane.left, pane.top, pane.width, pane.height);
  context.clip();
}

function drawPane(context, pane, withHeat) {
  const s = scaleOf(pane);
  const [x, y] = toScreen(pane, 0, 0);
  context.save();
  clipTo(context, pane);
  context.translate(x, y);
  context.scale(s, s * now.slice.aspect);
  context.imageSmoothingEnabled = s < 6;
  context.imageSmoothingQuality = now.moving ? "low" : "high";
  context.drawImage(grey(), 0, 0);
  if (withHeat && el("ct-contour").checked) {
    const path = outline();
    if (path) {
      context.lineWidth = 2 / s;
      context.strokeStyle = `rgb(${signs()[0]})`;
      context.stroke(path);
    }
  } else if (withHeat) {
    context.imageSmoothingEnabled = true;
    context.globalAlpha = el("ct-opacity").value / 100;
    context.drawImage(heat(), 0, 0);
  }
  context.restore();
}

// The lesion that was drawn on a phantom.
function drawDrawn(context, pane) {
  const outline = now.slice.drawn;
  if (!outline || !el("ct-drawn").checked) return;
  context.save();
  clipTo(context, pane);
  for (const [colour, line] of [["rgba(0,0,0,0.8)", 4], ["#7dd3fc", 2]]) {
    context.strokeStyle = colour;
    context.lineWidth = line;
    context.beginPath();
    for (const [x, y] of outline) context.lineTo(...toScreen(pane, x + 0.5, y + 0.5));
    context.closePath();
    context.stroke();
  }
  context.restore();
}

// Grid and peak, on the pane of the heatmap.
function drawMarks(context, pane) {
  const { map } = now;
  if (!map) return;
  const [left, top, width, height] = map.box;
  context.save();
  clipTo(context, pane);
  if (el("ct-grid").checked) {
    context.strokeStyle = "rgba(125, 211, 252, 0.55)";
    context.lineWidth = 1;
    context.beginPath();
    for (let i = 0; i <= map.columns; i++) {
      const x = left + (i * width) / map.columns;
      context.moveTo(...toScreen(pane, x, top));
      context.lineTo(...toScreen(pane, x, top + height));
    }
    for (let i = 0; i <= map.rows; i++) {
      const y = top + (i * height) / map.rows;
      context.moveTo(...toScreen(pane, left, y));
      context.lineTo(...toScreen(pane, left + width, y));
    }
    context.stroke();
  }
  const found = el("ct-heat").checked && el("ct-peak").checked && peak(map, now.chosen);
  if (found) {
    const [x, y] = toScreen(pane, found.x, found.y);
    const radius = Math.max(9, found.width * scaleOf(pane) * 0.75);
    for (const [colour, line] of [["rgba(0,0,0,0.8)", 4], ["#fff", 1.6]]) {
      context.strokeStyle = colour;
      context.lineWidth = line;
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        context.moveTo(x + dx * radius, y + dy * radius);
        context.lineTo(x + dx * (radius + 6), y + dy * (radius + 6));
      }
      context.stroke();
    }
  }
  context.restore();
}

// What is seen is what is taken away: the exports are drawn on the server with the viewer's settings.
function tellSettings() {
  const box = document.querySelector("#view-settings textarea, #view-settings input");
  if (!box || !now.slice) return;
  const { centre, width } = windowNow();
  const text = JSON.stringify({
    centre, width, opacity: el("ct-opacity").value / 100, colour_map: el("ct-colours").value,
    signed: isSigned(), contour: el("ct-contour").checked ? CONTOUR_LEVEL : null, peak: el("ct-peak").checked,
    heatmap: el("ct-heat").checked, inverted: inverted(),
  });
  if (box.value === text) return;
  box.value = text;
  box.dispatchEvent(new Event("input", { bubbles: true }));
}
