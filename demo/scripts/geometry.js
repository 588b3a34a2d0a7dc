// Where the slice lies on the stage: panes, zoom, and the way between both kinds of coordinates.
import { clamp, el, now } from "./state.js";

export const ZOOM = { least: 1, most: 16, step: 1.25 };

// Layouts of two pictures need a map; the choice is kept for the next slice that has one.
export const mode = () => (now.map ? document.querySelector("input[name=ct-mode]:checked").value : "overlay");

export function panes() {
  const { clientWidth: width, clientHeight: height } = el("ct-stage");
  if (mode() !== "side") return [{ left: 0, top: 0, width, height }];
  const [across, down] = [Math.floor((width - 2) / 2), Math.floor((height - 2) / 2)];
  const beside = [{ left: 0, top: 0, width: across, height }, { left: width - across, top: 0, width: across, height }];
  const stacked = [{ left: 0, top: 0, width, height: down }, { left: 0, top: height - down, width, height: down }];
  return scaleOf(stacked[0]) > scaleOf(beside[0]) ? stacked : beside; // in which they are larger
}

export function scaleOf(pane) {
  const { slice, view } = now;
  return Math.min(pane.width / slice.columns, pane.height / (slice.rows * slice.aspect)) * view.zoom;
}

export function toScreen(pane, x, y) {
  const s = scaleOf(pane);
  return [
    pane.left + pane.width / 2 + (x - now.view.x) * s,
    pane.top + pane.height / 2 + (y - now.view.y) * s * now.slice.aspect,
  ];
}

export function toSlice(screenX, screenY) {
  const pane = panes().find(
    (p) => screenX >= p.left && screenX < p.left + p.width && screenY >= p.top && screenY < p.top + p.height,
  );
  if (!pane) return null;
  const s = scaleOf(pane);
  return [
    now.view.x + (screenX - pane.left - pane.width / 2) / s,
    now.view.y + (screenY - pane.top - pane.height / 2) / (s * now.slice.aspect),
  ];
}

export function fit() {
  if (now.slice) now.view = { zoom: 1, x: now.slice.columns / 2, y: now.slice.rows / 2 };
}

function keepInside() {
  now.view.x = clamp(now.view.x, 0, now.slice.columns);
  now.view.y = clamp(now.view.y, 0, now.slice.rows);
  if (now.view.zoom === 1) fit();
}

// Zoom so that what lies at a place of the stage stays there.
export function zoomBy(factor, at) {
  if (!now.slice) return;
  const before = at && toSlice(...at);
  now.view.zoom = clamp(now.view.zoom * factor, ZOOM.least, ZOOM.most);
  if (before) {
    const after = toSlice(...at);
    now.view.x += before[0] - after[0];
    now.view.y += before[1] - after[1];
  }
  keepInside();
}

// Move the picture by pixels of the screen.
export function pan(dx, dy) {
  const s = scaleOf(panes()[0]);
  now.view.x -= dx / s;
  now.view.y -= dy / (s * now.slice.aspect);
  keepInside();
}
