// The display window: which HU become black and white.
import { attribute, el, now } from "./state.js";

export const windowNow = () => ({ centre: +el("ct-centre").value, width: Math.max(1, +el("ct-width").value || 1) });

export const inverted = () => el("ct-invert").checked;

export function setWindow(centre, width) {
  el("ct-centre").value = Math.round(centre);
  el("ct-width").value = Math.max(1, Math.round(width));
}

export const preset = (name) => (name === "file" ? now.slice && now.slice.window : attribute("windows")[name]);

export function startWindow() {
  const name = now.slice.calibrated ? "lung" : "dataset";
  document.querySelector(`input[name=ct-window][value=${name}]`).checked = true;
  setWindow(...preset(name));
}

// A picture's grey levels are HU only under the dataset's window: the other windows would invent contrast.
export function allowWindows() {
  const { slice } = now;
  const free = Boolean(slice && slice.calibrated);
  for (const radio of document.querySelectorAll("input[name=ct-window]")) {
    radio.disabled = !slice || (radio.value === "file" ? !slice.window : !(free || radio.value === "dataset"));
  }
  for (const id of ["ct-centre", "ct-width"]) el(id).disabled = !free;
  el("ct-uncalibrated").hidden = !slice || free;
}

export function markPreset() {
  const { centre, width } = windowNow();
  let found = false;
  const checked = document.querySelector("input[name=ct-window]:checked");
  const radios = [...document.querySelectorAll("input[name=ct-window]")];
  if (checked) radios.unshift(checked); // two presets may be alike: keep the one that was picked
  for (const radio of radios) {
    const data = preset(radio.value);
    const same = !found && data && Math.round(data[0]) === centre && Math.round(data[1]) === width;
    radio.checked = Boolean(same) || (found && radio === checked && radio.checked);
    found = found || Boolean(same);
  }
}
