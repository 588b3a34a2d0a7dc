// The maps of all classes at once, small and on one scale, on the part of the slice that the network saw.
import { className, el, now, number, say } from "./state.js";
import { cellsOf, grey } from "./layers.js";
import { peak } from "./maps.js";

const SIDE = 128;

export function drawSmallMaps() {
  const { slice, map } = now;
  if (!map) return;
  const [left, top, width, height] = map.box;
  const tall = height * slice.aspect;
  const s = Math.min(SIDE / width, SIDE / tall);
  const place = [(SIDE - width * s) / 2, (SIDE - tall * s) / 2, width * s, tall * s];
  const picture = grey();
  for (const [index, button] of buttonsFor(map.classes).entries()) {
    const context = button.querySelector("canvas").getContext("2d");
    context.globalAlpha = 1;
    context.fillStyle = "#000";
    context.fillRect(0, 0, SIDE, SIDE);
    context.drawImage(picture, left, top, width, height, ...place);
    context.globalAlpha = el("ct-opacity").value / 100;
    context.drawImage(cellsOf(index), ...place);
    const found = peak(map, index);
    button.setAttribute("aria-pressed", String(index === now.chosen));
    button.querySelector("strong").textContent = className(map.classes[index]);
    button.querySelector(".share").textContent = map.shares[index];
    button.querySelector(".most").textContent = found
      ? say("class_peak", { value: number(found.value), unit: map.unit })
      : say("class_none");
  }
}

function buttonsFor(classes) {
  const box = el("ct-classes");
  if ([...box.children].map((button) => button.dataset.class).join() !== classes.join()) {
    box.replaceChildren(...classes.map((name) => {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.class = name;
      button.innerHTML = `<canvas width="${SIDE}" height="${SIDE}" aria-hidden="true"></canvas>` +
        '<span><strong></strong> <span class="share"></span></span><span class="most"></span>';
      return button;
    }));
  }
  return [...box.children];
}
