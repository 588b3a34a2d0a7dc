// A ruler on the slice, in mm where the file states a pixel's size.
import { now, say } from "./state.js";
import { toScreen } from "./geometry.js";

export function lengthOf({ from, to }) {
  const { spacing, shrink } = now.slice;
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  return spacing
    ? say("mm", { length: Math.hypot(dx * spacing[1], dy * spacing[0]).toFixed(1) })
    : say("pixels", { length: Math.round(Math.hypot(dx, dy) * shrink) });
}

export function drawRuler(context, pane) {
  const { ruler } = now;
  if (!ruler || ruler.slice !== now.slice.id) return;
  const [a, b] = [toScreen(pane, ...ruler.from), toScreen(pane, ...ruler.to)];
  for (const [colour, width] of [["rgba(0,0,0,0.8)", 4], ["#fde047", 1.6]]) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.beginPath();
    context.moveTo(...a);
    context.lineTo(...b);
    for (const [x, y] of [a, b]) {
      context.moveTo(x + 4, y);
      context.arc(x, y, 4, 0, 2 * Math.PI);
    }
    context.stroke();
  }
  const text = lengthOf(ruler);
  const [x, y] = [(a[0] + b[0]) / 2 + 8, (a[1] + b[1]) / 2 - 8];
  context.font = "600 13px system-ui, sans-serif";
  context.fillStyle = "rgba(0,0,0,0.7)";
  context.fillRect(x - 4, y - 14, context.measureText(text).width + 8, 19);
  context.fillStyle = "#fde047";
  context.fillText(text, x, y);
}
