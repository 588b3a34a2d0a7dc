// The class is switched in the browser at once; its checks follow from the server.
import { now } from "./state.js";
import { redraw } from "./drawing.js";

export function listenClasses() {
  document.addEventListener("change", (event) => {
    const radio = event.target.closest?.("#explain-class input");
    if (!radio || !now.map) return;
    const index = now.map.classes.indexOf(radio.value || now.map.predicted); // "" follows the slice
    if (index >= 0) {
      now.chosen = index;
      redraw();
    }
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("#ct-classes button");
    if (button) chooseClass(button.dataset.class);
  });
}

export function chooseClass(name) {
  const radio = [...document.querySelectorAll("#explain-class input")].find((one) => one.value === name);
  if (radio && !radio.checked) radio.click();
  return Boolean(radio);
}
