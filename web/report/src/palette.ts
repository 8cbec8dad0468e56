// Colours, dashes and patterns. Each region has a colour and a dash by its position, so colour never carries a meaning alone.
// The hues follow Okabe and Ito (https://jfly.uni-koeln.de/color/), darkened or lightened to stand out from each theme.

const COLOURS = 6;
const DASHES: readonly (readonly number[])[] = [[], [7, 3], [2, 3], [9, 3, 2, 3], [4, 4], [12, 4]];

/** Returns the value of a custom property of the page's style, such as `--ink`. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Returns the name of the custom property with the colour of the n-th region or line. */
export function lineColour(index: number): string {
  return `--line-${((index % COLOURS) + COLOURS) % COLOURS}`;
}

/** Returns the dash of the n-th region or line. Dashes shift after each round of colours, so that pairs stay distinct. */
export function dash(index: number): number[] {
  return [...(DASHES[(index + Math.floor(index / COLOURS)) % DASHES.length] ?? [])];
}

/** Makes the stripes that mark offline clients and failed requests. */
export function stripes(context: CanvasRenderingContext2D, ratio: number): CanvasPattern | string {
  const size = Math.round(6 * ratio);
  const tile = document.createElement("canvas");
  tile.width = tile.height = size;
  const pen = tile.getContext("2d");
  if (!pen) return colour("--bad");
  pen.fillStyle = colour("--card");
  pen.fillRect(0, 0, size, size);
  pen.strokeStyle = colour("--bad");
  pen.lineWidth = size / 3;
  for (const shift of [-size, 0, size]) {
    pen.beginPath();
    pen.moveTo(shift - 1, size + 1);
    pen.lineTo(shift + size + 1, -1);
    pen.stroke();
  }
  return context.createPattern(tile, "repeat") ?? colour("--bad");
}
