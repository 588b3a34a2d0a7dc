// A map of a class over the lung crop: its values on the slice's pixels, its outline, its strongest cell.

const of = (map, index) => map.cells.subarray(index * map.rows * map.columns, (index + 1) * map.rows * map.columns);

// Bilinear between cell centres with half-pixel alignment, 0 outside the crop: as `CropBox.to_slice`.
export function spread(map, index, slice) {
  const [left, top, width, height] = map.box;
  const { rows, columns } = map;
  const cells = of(map, index);
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
      const a = u - column;
      const b = v - row;
      values[y * slice.columns + x] =
        (cells[row * columns + column] * (1 - a) + cells[row * columns + right] * a) * (1 - b) +
        (cells[below * columns + column] * (1 - a) + cells[below * columns + right] * a) * b;
    }
  }
  return values;
}

// Marching squares between pixel centres, around what exceeds a share of the map's own maximum.
export function contour(values, { rows, columns }, share) {
  let most = 0;
  for (const value of values) if (value > most) most = value;
  if (most <= 0) return null;
  const level = share * most;
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

// The centre of the strongest cell, or null where nothing speaks for the class.
export function peak(map, index) {
  const { rows, columns } = map;
  const cells = of(map, index);
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
