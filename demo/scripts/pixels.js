// Pixels as they come: zlib of what is left of HU after each was predicted from its neighbours, as `packing.pack` wrote it.
export async function unpack(data, rows, columns) {
  const stream = new Blob([data]).stream().pipeThrough(new DecompressionStream("deflate"));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer());
  const size = rows * columns;
  const hu = new Int16Array(size);
  for (let row = 0, i = 0; row < rows; row++) {
    for (let column = 0, west = 0, northwest = 0; column < columns; column++, i++) {
      const north = row ? hu[i - columns] : 0;
      const low = west < north ? west : north;
      const high = west < north ? north : west;
      const guess = northwest >= high ? low : northwest <= low ? high : west + north - northwest;
      const folded = planes[i] | (planes[size + i] << 8);
      northwest = north;
      west = hu[i] = guess + ((folded >>> 1) ^ -(folded & 1));
    }
  }
  return hu;
}
