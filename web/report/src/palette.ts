// Colours, dashes and patterns. Order, dashes, dots and names repeat each meaning of a colour.
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

/** Whether the area of the n-th region has dots: after a full round of colours, they tell regions of one colour apart. */
export function isDotted(index: number): boolean {
  return index >= COLOURS;
}

/** Returns the fill of the n-th region: its colour, with dots if `isDotted`. */
export function areaFill(context: CanvasRenderingContext2D, ratio: number, index: number): CanvasPattern | string {
  const base = colour(lineColour(index));
  return !isDotted(index) ? base : pattern(context, 7 * ratio, base, (pen, size) => {
    pen.fillStyle = colour("--card");
    pen.beginPath();
    pen.arc(size / 2, size / 2, size / 5, 0, 2 * Math.PI);
    pen.fill();
  });
}

/** Makes the stripes that mark offline clients and failed requests. */
export function stripes(context: CanvasRenderingContext2D, ratio: number): CanvasPattern | string {
  return pattern(context, 6 * ratio, colour("--card"), (pen, size) => {
    pen.strokeStyle = colour("--bad");
    pen.lineWidth = size / 3;
    for (const shift of [-size, 0, size]) {
      pen.beginPath();
      pen.moveTo(shift - 1, size + 1);
      pen.lineTo(shift + size + 1, -1);
      pen.stroke();
    }
  });
}

/** Makes a pattern of square tiles, or returns `ground` if the browser makes none. */
function pattern(context: CanvasRenderingContext2D, width: number, ground: string, draw: (pen: CanvasRenderingContext2D, size: number) => void): CanvasPattern | string {
  const size = Math.round(width);
  const tile = document.createElement("canvas");
  tile.width = tile.height = size;
  const pen = tile.getContext("2d");
  if (!pen) return ground;
  pen.fillStyle = ground;
  pen.fillRect(0, 0, size, size);
  draw(pen, size);
  return context.createPattern(tile, "repeat") ?? ground;
}
