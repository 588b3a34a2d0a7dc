// The viewer: slice and heatmap drawn in the browser, so that no control waits for the server.
//
// Python writes two hidden elements: #slice-data (the slice in HU) and #map-data (the maps of all classes over the lung
// crop). This file watches them, and draws. Coordinates are the slice's: x right, y down, pixel centres at half-integers.
"use strict";

(() => {
  const CONTOUR_LEVEL = 0.5;
  const REST_MS = 150;
  const ZOOM = { least: 1, most: 16, step: 1.25 };
  const NICE_MM = [1, 2, 5, 10, 20, 50, 100, 200];

  let slice = null; // {rows, columns, hu, ...}
  let kind = null; // whether the last slice was calibrated
  let map = null; // {classes, cells, box, ...}
  let chosen = 0; // index of the class that is shown
  let view = { zoom: 1, x: 0, y: 0 };
  let grey = null; // offscreen canvases at the slice's own resolution
  let heat = null;
  let heatKey = "";
  let evidence = null; // the map on the slice's pixels
  let outline = null;
  let swipe = 0.5;
  let cursor = null;
  let frame = 0;
  let el = null;
  let settingsTimer = 0;

  // ------------------------------------------------------------ data in

  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

  async function inflate(data) {
    const stream = new Blob([data]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  // Low bytes, then high bytes, of differences along each row: what `viewer.pack` wrote.
  function unpack(data, rows, columns) {
    const size = rows * columns;
    const hu = new Int16Array(size);
    for (let row = 0, i = 0; row < rows; row++) {
      for (let column = 0, value = 0; column < columns; column++, i++) {
        value = (value + data[i] + (data[size + i] << 8)) & 0xffff;
        hu[i] = value;
      }
    }
    return hu;
  }

  async function takeSlice(text) {
    const next = text ? JSON.parse(text) : null;
    if (!next) {
      slice = map = null;
      return show();
    }
    next.hu = unpack(await inflate(bytes(next.hu)), next.rows, next.columns);
    const another = !slice || slice.rows !== next.rows || slice.columns !== next.columns || next.series !== slice.series;
    const sameKind = kind === next.calibrated;
    kind = next.calibrated;
    slice = next;
    if (map && map.slice !== slice.id) map = null;
    if (another) fit();
    if (!sameKind) startWindow(); // else the chosen one stays
    show();
    markSlice();
    takeMap(el("map-data").textContent.trim());
    // Whoever clicked an example has the result before them: the space bar is the heatmap's, not the example's again.
    const focus = document.activeElement;
    if (!focus || focus === document.body || focus.closest(".examples, #upload")) {
      el("ct-stage").focus({ preventScroll: true });
      if (innerWidth < 700) el("ct").scrollIntoView({ block: "start", behavior: "smooth" });
    }
  }

  function takeMap(text) {
    const next = text ? JSON.parse(text) : null;
    if (next && (!slice || next.slice !== slice.id)) return; // the map of a slice that has gone, or is yet to come
    map = next;
    if (map) {
      map.cells = new Float32Array(bytes(map.cells).buffer);
      chosen = map.classes.indexOf(map.class);
    }
    show();
  }

  // ------------------------------------------------------------ window and colours

  const windowNow = () => ({ centre: +el("ct-centre").value, width: Math.max(1, +el("ct-width").value || 1) });

  function setWindow(centre, width) {
    el("ct-centre").value = Math.round(centre);
    el("ct-width").value = Math.max(1, Math.round(width));
    grey = null;
    redraw();
  }

  function preset(name) {
    const data = JSON.parse(el("ct").dataset.windows);
    return name === "file" ? slice && slice.window : data[name];
  }

  function startWindow() {
    const name = slice.calibrated ? "lung" : "dataset";
    document.querySelector(`input[name=ct-window][value=${name}]`).checked = true;
    setWindow(...preset(name));
  }

  // A picture's grey levels are HU only under the dataset's window: the other windows would invent contrast.
  function allowWindows() {
    const free = Boolean(slice && slice.calibrated);
    for (const radio of document.querySelectorAll("input[name=ct-window]")) {
      radio.disabled = !slice || (radio.value === "file" ? !slice.window : !(free || radio.value === "dataset"));
    }
    for (const id of ["ct-centre", "ct-width"]) el(id).disabled = !free;
    el("ct-uncalibrated").hidden = !slice || free;
  }

  function markPreset() {
    const now = windowNow();
    let found = false;
    const checked = document.querySelector("input[name=ct-window]:checked");
    const radios = [...document.querySelectorAll("input[name=ct-window]")];
    if (checked) radios.unshift(checked); // two presets may be alike: keep the one that was picked
    for (const radio of radios) {
      const data = preset(radio.value);
      const same = !found && data && Math.round(data[0]) === now.centre && Math.round(data[1]) === now.width;
      radio.checked = Boolean(same) || (found && radio === checked && radio.checked);
      found = found || Boolean(same);
    }
  }

  function colours() {
    const name = el("ct-colours").value;
    return bytes(JSON.parse(el("ct").dataset.colours)[name]);
  }

  // For and against the class, in the colours of `lungcnn.SIGNS`.
  const signs = () => JSON.parse(el("ct").dataset.signs);
  const isSigned = () => Boolean(map && map.signed && el("ct-signed").checked && !el("ct-contour").checked);

  // ------------------------------------------------------------ layers at the slice's resolution

  function layer() {
    const canvas = document.createElement("canvas");
    canvas.width = slice.columns;
    canvas.height = slice.rows;
    return canvas;
  }

  function drawGrey() {
    const { centre, width } = windowNow();
    const low = centre - width / 2;
    const gain = 255 / width;
    const canvas = layer();
    const context = canvas.getContext("2d");
    const image = context.createImageData(slice.columns, slice.rows);
    const pixels = new Uint32Array(image.data.buffer);
    for (let i = 0; i < pixels.length; i++) {
      const level = Math.max(0, Math.min(255, ((slice.hu[i] - low) * gain + 0.5) | 0));
      pixels[i] = 0xff000000 | (level << 16) | (level << 8) | level;
    }
    context.putImageData(image, 0, 0);
    return canvas;
  }

  // Bilinear between cell centres with half-pixel alignment, 0 outside the crop: as `CropBox.to_slice`.
  function spread() {
    const [left, top, width, height] = map.box;
    const { rows, columns } = map;
    const cells = map.cells.subarray(chosen * rows * columns, (chosen + 1) * rows * columns);
    const values = new Float32Array(slice.rows * slice.columns);
    const ends = [left, left + width, top, top + height].map(Math.round);
    const [x0, x1] = [Math.max(0, ends[0]), Math.min(slice.columns, ends[1])];
    for (let y = Math.max(0, ends[2]); y < Math.min(slice.rows, ends[3]); y++) {
      const v = Math.max(0, Math.min(rows - 1, ((y + 0.5 - top) * rows) / height - 0.5));
      const row = Math.min(rows - 1, Math.floor(v));
      const below = Math.min(rows - 1, row + 1);
      for (let x = x0; x < x1; x++) {
        const u = Math.max(0, Math.min(columns - 1, ((x + 0.5 - left) * columns) / width - 0.5));
        const column = Math.min(columns - 1, Math.floor(u));
        const right = Math.min(columns - 1, column + 1);
        const [a, b] = [u - column, v - row];
        values[y * slice.columns + x] =
          (cells[row * columns + column] * (1 - a) + cells[row * columns + right] * a) * (1 - b) +
          (cells[below * columns + column] * (1 - a) + cells[below * columns + right] * a) * b;
      }
    }
    return values;
  }

  // Colour and opacity both grow with the map, on one scale for all classes: a weak map looks weak.
  function drawHeat() {
    const signed = isSigned();
    const key = [map.slice, map.method, chosen, el("ct-colours").value, signed].join();
    if (key === heatKey && heat) return;
    heatKey = key;
    const values = (evidence = spread());
    const table = colours();
    const [pro, contra] = signs();
    heat = layer();
    const context = heat.getContext("2d");
    const image = context.createImageData(slice.columns, slice.rows);
    for (let i = 0, j = 0; i < values.length; i++, j += 4) {
      const share = values[i] / (map.scale || 1);
      const strength = Math.min(1, signed ? Math.abs(share) : Math.max(0, share));
      if (strength <= 0) continue;
      const source = signed ? (share < 0 ? contra : pro) : table;
      const index = signed ? 0 : 3 * ((strength * 255 + 0.5) | 0);
      image.data[j] = source[index];
      image.data[j + 1] = source[index + 1];
      image.data[j + 2] = source[index + 2];
      image.data[j + 3] = strength * 255 + 0.5;
    }
    context.putImageData(image, 0, 0);
    outline = contour(values);
  }

  // Marching squares between pixel centres, around what exceeds half of the map's own maximum.
  function contour(values) {
    const { rows, columns } = slice;
    let most = 0;
    for (const value of values) if (value > most) most = value;
    if (most <= 0) return null;
    const level = CONTOUR_LEVEL * most;
    const path = new Path2D();
    const cut = (a, b) => (level - a) / (b - a);
    for (let y = 0; y < rows - 1; y++) {
      for (let x = 0; x < columns - 1; x++) {
        const i = y * columns + x;
        const [a, b, c, d] = [values[i], values[i + 1], values[i + columns + 1], values[i + columns]];
        const kind = (a > level) | ((b > level) << 1) | ((c > level) << 2) | ((d > level) << 3);
        if (kind === 0 || kind === 15) continue;
        const north = () => [x + cut(a, b), y];
        const east = () => [x + 1, y + cut(b, c)];
        const south = () => [x + cut(d, c), y + 1];
        const west = () => [x, y + cut(a, d)];
        const lines = {
          1: [[west, north]], 2: [[north, east]], 3: [[west, east]], 4: [[east, south]],
          5: [[west, north], [east, south]], 6: [[north, south]], 7: [[west, south]], 8: [[south, west]],
          9: [[north, south]], 10: [[north, east], [south, west]], 11: [[east, south]], 12: [[west, east]],
          13: [[north, east]], 14: [[west, north]],
        }[kind];
        for (const [from, to] of lines) {
          const [p, q] = [from(), to()];
          path.moveTo(p[0] + 0.5, p[1] + 0.5);
          path.lineTo(q[0] + 0.5, q[1] + 0.5);
        }
      }
    }
    return path;
  }

  function peak() {
    const { rows, columns } = map;
    const cells = map.cells.subarray(chosen * rows * columns, (chosen + 1) * rows * columns);
    let best = 0;
    for (let i = 1; i < cells.length; i++) if (cells[i] > cells[best]) best = i;
    if (!(cells[best] > 0)) return null;
    const [left, top, width, height] = map.box;
    const [row, column] = [Math.floor(best / columns), best % columns];
    return {
      x: left + ((column + 0.5) * width) / columns,
      y: top + ((row + 0.5) * height) / rows,
      width: width / columns,
      value: cells[best],
    };
  }

  // ------------------------------------------------------------ geometry

  const mode = () => document.querySelector("input[name=ct-mode]:checked").value;

  function panes() {
    const { clientWidth: width, clientHeight: height } = el("ct-stage");
    if (mode() !== "side") return [{ left: 0, width, height }];
    const half = Math.floor((width - 2) / 2);
    return [{ left: 0, width: half, height }, { left: width - half, width: half, height }];
  }

  function scaleOf(pane) {
    return Math.min(pane.width / slice.columns, pane.height / (slice.rows * slice.aspect)) * view.zoom;
  }

  function toScreen(pane, x, y) {
    const s = scaleOf(pane);
    return [pane.left + pane.width / 2 + (x - view.x) * s, pane.height / 2 + (y - view.y) * s * slice.aspect];
  }

  function toSlice(screenX, screenY) {
    const pane = panes().find((p) => screenX >= p.left && screenX < p.left + p.width);
    if (!pane) return null;
    const s = scaleOf(pane);
    return [
      view.x + (screenX - pane.left - pane.width / 2) / s,
      view.y + (screenY - pane.height / 2) / (s * slice.aspect),
    ];
  }

  function fit() {
    view = { zoom: 1, x: slice.columns / 2, y: slice.rows / 2 };
  }

  function keepInside() {
    const inside = (value, size) => Math.max(0, Math.min(size, value));
    view.x = inside(view.x, slice.columns);
    view.y = inside(view.y, slice.rows);
    if (view.zoom === 1) fit();
  }

  function zoomBy(factor, at) {
    if (!slice) return;
    const before = at && toSlice(...at);
    view.zoom = Math.max(ZOOM.least, Math.min(ZOOM.most, view.zoom * factor));
    if (before) {
      const after = toSlice(...at);
      view.x += before[0] - after[0];
      view.y += before[1] - after[1];
    }
    keepInside();
    redraw();
  }

  // ------------------------------------------------------------ drawing

  function redraw() {
    if (!frame) frame = requestAnimationFrame(draw);
    clearTimeout(settingsTimer);
    settingsTimer = setTimeout(tellSettings, 120);
  }

  function draw() {
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
    if (!slice) return;
    grey = grey || drawGrey();
    const showHeat = map && el("ct-heat").checked;
    if (map) drawHeat();
    const [first, second] = panes();
    if (mode() === "side") {
      drawPane(context, first, false);
      drawPane(context, second, showHeat);
    } else {
      drawPane(context, first, false);
      if (showHeat) {
        context.save();
        context.beginPath();
        context.rect(mode() === "swipe" ? swipe * width : 0, 0, width, height);
        context.clip();
        drawPane(context, first, true);
        context.restore();
      }
    }
    drawMarks(context, second || first);
    describe(second || first);
  }

  function drawPane(context, pane, withHeat) {
    const s = scaleOf(pane);
    const [x, y] = toScreen(pane, 0, 0);
    context.save();
    context.beginPath();
    context.rect(pane.left, 0, pane.width, pane.height);
    context.clip();
    context.translate(x, y);
    context.scale(s, s * slice.aspect);
    context.imageSmoothingEnabled = s < 6;
    context.imageSmoothingQuality = "high";
    context.drawImage(grey, 0, 0);
    if (withHeat) {
      if (el("ct-contour").checked) {
        if (outline) {
          context.lineWidth = 2 / s;
          context.strokeStyle = `rgb(${signs()[0]})`;
          context.stroke(outline);
        }
      } else {
        context.imageSmoothingEnabled = true;
        context.globalAlpha = el("ct-opacity").value / 100;
        context.drawImage(heat, 0, 0);
      }
    }
    context.restore();
  }

  // Grid and peak, on the pane of the heatmap.
  function drawMarks(context, pane) {
    if (!map) return;
    const [left, top, width, height] = map.box;
    context.save();
    context.beginPath();
    context.rect(pane.left, 0, pane.width, pane.height);
    context.clip();
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
    const found = el("ct-heat").checked && el("ct-peak").checked && peak();
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

  const say = (name, values = {}) =>
    JSON.parse(el("ct").dataset.texts)[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
  const number = (value) => String(+value.toPrecision(2)).replace("-", "−");
  const whole = (value) => String(Math.round(value)).replace("-", "−");

  // Everything that is written over or around the picture.
  function describe(pane) {
    const { centre, width } = windowNow();
    const shown = map && el("ct-heat").checked;
    const signed = isSigned();
    el("ct-caption").textContent = map
      ? say(signed ? "caption_signed" : "caption", { name: map.classes[chosen], method: map.title })
      : "";
    allowSigned();
    el("ct-cells").textContent = !map ? "" : map.cell_mm
      ? say("cells_mm", { rows: map.rows, columns: map.columns, height: map.cell_mm[0].toFixed(0), width: map.cell_mm[1].toFixed(0) })
      : say("cells", { rows: map.rows, columns: map.columns });
    el("ct-level").textContent = say("window", { centre: whole(centre), width: whole(width) });
    describeCursor();
    // Scale bar: the longest of the usual lengths that stays short on the screen.
    const perMm = slice.spacing ? scaleOf(pane) / slice.spacing[1] : 0;
    const mm = perMm && NICE_MM.filter((length) => length * perMm <= 140).pop();
    el("ct-scale").hidden = !mm;
    if (mm) {
      el("ct-scale").style.width = `${mm * perMm}px`;
      el("ct-scale").textContent = say("mm", { length: mm });
    }
    for (const side of ["left", "right", "top", "bottom"]) {
      el(`ct-${side}`).textContent = slice.sides ? slice.sides[side] : "";
      el(`ct-${side}`).hidden = !slice.sides;
    }
    const found = map && peak();
    el("ct-bar").hidden = !shown || el("ct-contour").checked;
    if (shown) {
      const gradient = el("ct-gradient");
      gradient.width = 1;
      gradient.height = 256;
      const context = gradient.getContext("2d");
      const image = context.createImageData(1, 256);
      const table = colours();
      const [pro, contra] = signs();
      for (let i = 0; i < 256; i++) {
        const share = 1 - i / 127.5; // 1 at the top, -1 at the bottom
        const colour = signed ? (share < 0 ? contra : pro) : table.subarray(3 * (255 - i), 3 * (255 - i) + 3);
        image.data.set(colour, 4 * i);
        image.data[4 * i + 3] = signed ? 255 * Math.abs(share) : 255;
      }
      context.putImageData(image, 0, 0);
      el("ct-most").textContent = number(map.scale);
      el("ct-half").textContent = signed ? "0" : number(map.scale / 2);
      el("ct-least").textContent = signed ? number(-map.scale) : "0";
      el("ct-unit").textContent = map.unit;
    }
    el("ct-peak-text").textContent = !shown ? "" : !found
      ? say("no_peak", { name: map.classes[chosen] })
      : el("ct-contour").checked
        ? say("contour", { value: number(found.value * CONTOUR_LEVEL), unit: map.unit })
        : say("peak", { value: number(found.value), unit: map.unit, x: whole(found.x * slice.shrink), y: whole(found.y * slice.shrink) });
    el("ct-handle").hidden = mode() !== "swipe" || !map;
    el("ct-handle").style.left = `${swipe * 100}%`;
    el("ct-handle").setAttribute("aria-valuenow", Math.round(swipe * 100));
    el("ct-zoom").textContent = `${Math.round(view.zoom * 100)} %`;
    el("ct-opacity-value").textContent = `${el("ct-opacity").value} %`;
    const label = shown && found ? "alt_heat" : shown ? "alt_no_peak" : "alt_slice";
    el("ct-canvas").setAttribute("aria-label", say(label, {
      name: map ? map.classes[chosen] : "", x: found ? whole(found.x * slice.shrink) : "", y: found ? whole(found.y * slice.shrink) : "",
    }) + (shown && signed ? say("alt_signed") : ""));
  }

  function describeCursor() {
    const at = cursor && slice && toSlice(...cursor);
    const [x, y] = at ? at.map(Math.floor) : [-1, -1];
    const inside = x >= 0 && y >= 0 && slice && x < slice.columns && y < slice.rows;
    const i = y * slice?.columns + x;
    el("ct-cursor").textContent = inside
      ? say(slice.calibrated ? "hu" : "hu_estimated", {
        x: x * slice.shrink, y: y * slice.shrink, value: whole(slice.hu[i]),
      }) + (map && evidence && el("ct-heat").checked ? say("evidence", { value: number(evidence[i]), unit: map.unit }) : "")
      : "";
  }

  // Maps without a sign, and the outline, show only what speaks for the class.
  function allowSigned() {
    const box = el("ct-signed");
    box.disabled = !(map && map.signed) || el("ct-contour").checked;
    box.title = box.labels[0].title = map && !map.signed ? say("unsigned", { method: map.title }) : say("signed");
    el("ct-colours").disabled = !map || isSigned();
  }

  function show() {
    const root = el("ct");
    root.classList.toggle("empty", !slice);
    root.classList.toggle("plain", !map);
    for (const id of ["ct-heat", "ct-contour", "ct-opacity", "ct-grid", "ct-peak"]) el(id).disabled = !map;
    allowSigned();
    for (const radio of document.querySelectorAll("input[name=ct-mode]")) radio.disabled = !map && radio.value !== "overlay";
    for (const id of ["ct-in", "ct-out", "ct-fit"]) el(id).disabled = !slice;
    if (slice && !map) document.querySelector("input[name=ct-mode][value=overlay]").checked = true;
    allowWindows();
    grey = heat = outline = evidence = null;
    heatKey = "";
    redraw();
  }

  // What is seen is what is taken away: the exports are drawn on the server with the viewer's settings.
  function tellSettings() {
    const box = document.querySelector("#view-settings textarea, #view-settings input");
    if (!box || !slice) return;
    const { centre, width } = windowNow();
    const text = JSON.stringify({
      centre, width, opacity: el("ct-opacity").value / 100, colour_map: el("ct-colours").value,
      signed: isSigned(), contour: el("ct-contour").checked ? CONTOUR_LEVEL : null,
    });
    if (box.value === text) return;
    box.value = text;
    box.dispatchEvent(new Event("input", { bubbles: true }));
  }

  // ------------------------------------------------------------ downloads

  function save(element) {
    const { name, kind } = element.dataset;
    const [, content] = element.textContent.split(":"); // a number comes first: the same file may be asked for twice
    const blob = new Blob([bytes(content)], { type: kind });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  // ------------------------------------------------------------ events

  function listen() {
    const stage = el("ct-stage");
    const at = (event) => {
      const box = stage.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    el("ct").addEventListener("input", (event) => {
      const { name, id, value } = event.target;
      if (name === "ct-window") setWindow(...preset(value));
      if (id === "ct-centre" || id === "ct-width") {
        grey = null;
        markPreset();
      }
      redraw();
    });
    el("ct").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) {
        if (button.id === "ct-help") {
          el("ct-keys").hidden = !el("ct-keys").hidden;
          button.setAttribute("aria-expanded", String(!el("ct-keys").hidden));
        } else if (button.id === "ct-fit") {
          if (slice) fit();
          redraw();
        } else zoomBy(button.id === "ct-in" ? ZOOM.step : 1 / ZOOM.step);
      }
      // After a click with the mouse the keys are the picture's again; who tabs stays where he is.
      if (event.detail > 0 && event.target.closest("button, input[type=checkbox], input[type=radio]")) {
        stage.focus({ preventScroll: true });
      }
    });
    for (const id of ["ct-centre", "ct-width"]) {
      el(id).addEventListener("change", () => setWindow(windowNow().centre, windowNow().width));
    }

    const pointers = new Map();
    let dragged = null;
    stage.addEventListener("pointerdown", (event) => {
      if (!slice || event.target === el("ct-handle")) return;
      stage.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, at(event));
      dragged = { from: at(event), levels: event.button === 2 || event.shiftKey, ...windowNow() };
    });
    stage.addEventListener("pointermove", (event) => {
      cursor = at(event);
      describeCursor();
      const before = pointers.get(event.pointerId);
      if (!before) return;
      const now = at(event);
      if (pointers.size === 2) {
        const other = [...pointers.entries()].find(([id]) => id !== event.pointerId)[1];
        const reach = (point) => Math.hypot(point[0] - other[0], point[1] - other[1]);
        zoomBy(reach(now) / Math.max(1, reach(before)), other);
      } else if (dragged && dragged.levels) {
        if (slice.calibrated) {
          setWindow(dragged.centre + 2 * (now[1] - dragged.from[1]), dragged.width + 3 * (now[0] - dragged.from[0]));
          markPreset();
        }
      } else if (view.zoom > 1) {
        const s = scaleOf(panes()[0]);
        view.x -= (now[0] - before[0]) / s;
        view.y -= (now[1] - before[1]) / (s * slice.aspect);
        keepInside();
        redraw();
      }
      pointers.set(event.pointerId, now);
    });
    for (const name of ["pointerup", "pointercancel"]) {
      stage.addEventListener(name, (event) => pointers.delete(event.pointerId));
    }
    stage.addEventListener("pointerleave", () => {
      cursor = null;
      describeCursor();
    });
    stage.addEventListener("contextmenu", (event) => event.preventDefault());
    stage.addEventListener("dblclick", (event) => {
      if (!slice) return;
      if (view.zoom > 1) {
        fit();
        redraw();
      } else zoomBy(2.5, at(event));
    });
    stage.addEventListener("wheel", (event) => {
      // The page must still scroll past the viewer: the wheel is the viewer's once it was clicked.
      if (!slice || !(event.ctrlKey || document.activeElement === stage)) return;
      event.preventDefault();
      if (!event.ctrlKey && slice.series && step(Math.sign(event.deltaY))) return;
      zoomBy(event.deltaY < 0 ? ZOOM.step : 1 / ZOOM.step, at(event));
    }, { passive: false });

    const handle = el("ct-handle");
    handle.addEventListener("pointerdown", (event) => {
      handle.setPointerCapture(event.pointerId);
      event.stopPropagation();
    });
    handle.addEventListener("pointermove", (event) => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      swipe = Math.max(0, Math.min(1, at(event)[0] / stage.clientWidth));
      redraw();
    });
    handle.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -0.02, ArrowDown: -0.02, ArrowRight: 0.02, ArrowUp: 0.02, Home: -1, End: 1 }[event.key];
      if (by === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      swipe = Math.max(0, Math.min(1, swipe + by));
      redraw();
    });

    stage.addEventListener("keydown", (event) => {
      if (!slice || event.target !== stage || event.ctrlKey || event.metaKey || event.altKey) return;
      const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (slice.series && ["ArrowUp", "ArrowDown", "PageUp", "PageDown"].includes(event.key)) {
        step(event.key.endsWith("Up") ? -1 : 1);
      } else if (move && view.zoom > 1) {
        view.x += (move[0] * slice.columns) / (20 * view.zoom);
        view.y += (move[1] * slice.rows) / (20 * view.zoom);
        keepInside();
        redraw();
      } else if (event.key === "+" || event.key === "=") zoomBy(ZOOM.step);
      else if (event.key === "-") zoomBy(1 / ZOOM.step);
      else if (event.key === "0") {
        fit();
        redraw();
      } else return;
      event.preventDefault();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key !== " " || event.repeat || !map) return;
      const target = event.target;
      const free = target === document.body || target === stage || target.matches?.("#ct input[type=radio], #ct input[type=range]");
      if (!free) return;
      event.preventDefault();
      el("ct-heat").checked = !el("ct-heat").checked;
      redraw();
    });
    // The class is switched here at once; its checks follow from the server.
    document.addEventListener("change", (event) => {
      const radio = event.target.closest?.("#explain-class input");
      if (!radio || !map) return;
      const index = map.classes.indexOf(radio.value || map.predicted); // "" follows the slice
      if (index >= 0) {
        chosen = index;
        redraw();
      }
    });
    new ResizeObserver(redraw).observe(stage);
  }

  // ------------------------------------------------------------ series

  const slider = () => document.querySelector("#series-slider input[type=range]");

  function goTo(index) {
    const range = slider();
    if (!range || !range.offsetParent) return false;
    const next = Math.max(+range.min, Math.min(+range.max, index + 1));
    if (next !== +range.value) {
      range.value = next;
      range.dispatchEvent(new Event("input", { bubbles: true }));
    }
    return true;
  }

  const step = (by) => slider() && goTo(+slider().value - 1 + by);

  // Where the slice that is shown lies in profile and table.
  function markSlice() {
    const profile = document.getElementById("profile");
    if (!profile || !slice || !slice.series) return;
    const x = ((slice.index + 0.5) * profile.viewBox.baseVal.width) / profile.dataset.count;
    const line = el("profile-now");
    line.setAttribute("x1", x);
    line.setAttribute("x2", x);
    for (const item of document.querySelectorAll("#series-table [data-row], .jump")) {
      const index = item.dataset.row ?? item.dataset.slice;
      if (+index === slice.index) item.setAttribute("aria-current", "true");
      else item.removeAttribute("aria-current");
    }
  }

  function listenSeries() {
    document.addEventListener("click", (event) => {
      const button = event.target.closest?.("[data-slice]");
      if (button) return goTo(+button.dataset.slice);
      const profile = event.target.closest?.("#profile");
      if (!profile) return;
      const box = profile.getBoundingClientRect();
      goTo(Math.floor(((event.clientX - box.left) / box.width) * profile.dataset.count));
    });
  }

  // ------------------------------------------------------------ files

  // Files may be dropped anywhere. Gradio's box takes none while it still shows the last ones, and is free for a moment
  // before they appear in it: new ones, the newest alone, wait until it has been free and at rest for a while.
  function listenDrops() {
    let waiting = null;
    let timer = 0;
    let moved = 0; // when the box last changed
    const box = () => document.querySelector("#upload:not(:has(.file-preview)) input[type=file]");
    const hand = () => {
      if (!waiting || !box()) return;
      const input = box();
      input.files = waiting.files;
      waiting = null;
      input.dispatchEvent(new Event("change", { bubbles: true }));
    };
    const wait = () => {
      clearTimeout(timer);
      if (waiting) timer = setTimeout(hand, REST_MS);
    };
    document.addEventListener("dragover", (event) => event.preventDefault());
    document.addEventListener("drop", (event) => {
      if (!event.dataTransfer?.files.length) return;
      event.preventDefault();
      event.stopPropagation();
      waiting = new DataTransfer();
      for (const file of event.dataTransfer.files) waiting.items.add(file);
      if (performance.now() - moved > REST_MS) hand();
      else wait();
    }, true);
    new MutationObserver((changes) => {
      if (!changes.some((change) => change.target.closest?.("#upload"))) return;
      moved = performance.now();
      wait();
    }).observe(document.body, { childList: true, subtree: true });
  }

  // ------------------------------------------------------------ start

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
    if (!document.getElementById("map-data") || !document.getElementById("ct-stage")) return false;
    el = (id) => document.getElementById(id);
    listen();
    listenSeries();
    listenDrops();
    watch("slice-data", takeSlice);
    watch("map-data", takeMap);
    watch("download-data", (text) => text && save(el("download-data")));
    window.ctViewer = { toScreen: (x, y, pane = 0) => toScreen(panes()[pane], x, y) };
    return true;
  }

  if (!start()) {
    const waiting = new MutationObserver(() => start() && waiting.disconnect());
    waiting.observe(document.documentElement, { childList: true, subtree: true });
  }
})();
