// Draws faults as shaded bands and phases as marks, in the same way in every chart over time.

import { endOf, type Run } from "./model.ts";
import { colour } from "./palette.ts";

/** Room above the plot for the names of phases and faults, in CSS pixels. */
export const HEADER = 34;
/** Room above the plot for the numbers of faults. */
export const HEADER_SHORT = 16;
const FONT = 11;
/** Room for the number of a fault. */
const LABEL_WIDTH = 20;

/** The plot's place on its canvas, in device pixels. */
export interface Frame {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly ratio: number;
  /** The horizontal place of a time. */
  readonly x: (time: number) => number;
}

/** Draws the shade of faults, which lies behind the data. */
export function drawShades(pen: CanvasRenderingContext2D, frame: Frame, run: Run): void {
  clipped(pen, frame, () => {
    pen.fillStyle = colour("--fault");
    for (const fault of run.faults) {
      const from = frame.x(fault.from_s);
      pen.fillRect(from, frame.top, frame.x(endOf(fault, run)) - from, frame.height);
    }
  });
}

/** Draws where faults begin and end, and where phases begin. */
export function drawEdges(pen: CanvasRenderingContext2D, frame: Frame, run: Run): void {
  const { top, height, ratio } = frame;
  clipped(pen, frame, () => {
    pen.fillStyle = colour("--bad");
    for (const { from_s, to_s } of run.faults) {
      for (const time of to_s === null ? [from_s] : [from_s, to_s]) pen.fillRect(frame.x(time) - ratio / 2, top, 1.5 * ratio, height);
    }
    pen.fillStyle = colour("--quiet");
    for (const { from_s } of run.phases.slice(1)) {
      for (let y = top; y < top + height; y += 5 * ratio) pen.fillRect(frame.x(from_s), y, ratio, ratio);
    }
  });
}

function clipped(pen: CanvasRenderingContext2D, { left, top, width, height }: Frame, draw: () => void): void {
  pen.save();
  pen.beginPath();
  pen.rect(left, top, width, height);
  pen.clip();
  draw();
  pen.restore();
}

/** Writes the names above the plot: all of them, or only the numbers of the faults. */
export function drawHeader(pen: CanvasRenderingContext2D, frame: Frame, run: Run, isFull: boolean): void {
  const { left, top, width, ratio } = frame;
  const right = left + width;
  pen.save();
  pen.font = `${FONT * ratio}px system-ui, sans-serif`;
  pen.textBaseline = "alphabetic";
  pen.textAlign = "left";
  const write = (text: string, from: number, to: number, y: number): void => {
    const start = Math.max(from, left);
    const shown = fitted(pen, text, Math.min(to, right) - start - 4 * ratio);
    if (start < right) pen.fillText(shown, start, y);
  };
  const faultsY = top - 5 * ratio;
  pen.fillStyle = colour("--bad");
  const labels = faultLabels(frame, run, isFull);
  labels.forEach(({ text, from, to }, index) => {
    if (to >= left) write(text, from, labels[index + 1]?.from ?? right, faultsY);
  });
  pen.fillStyle = colour("--quiet");
  if (isFull) for (const { name, from_s, to_s } of run.phases) write(name, frame.x(from_s), frame.x(to_s), faultsY - 15 * ratio);
  pen.restore();
}

/** Returns the labels of the faults from left to right. Faults that begin at nearly one place share a label. */
function faultLabels(frame: Frame, run: Run, isFull: boolean): { text: string; from: number; to: number }[] {
  const labels: { text: string; from: number; to: number }[] = [];
  for (const fault of [...run.faults].sort((a, b) => a.from_s - b.from_s)) {
    const text = isFull ? `F${fault.id} ${fault.text}` : `F${fault.id}`;
    const [from, to] = [frame.x(fault.from_s), frame.x(endOf(fault, run))];
    const last = labels.at(-1);
    if (last && from - last.from < LABEL_WIDTH * frame.ratio) {
      last.text += `, ${text}`;
      last.to = Math.max(last.to, to);
    } else labels.push({ text, from, to });
  }
  return labels;
}

/** Returns the text, or the part of its beginning that fits into `width`. Returns nothing if less than two letters fit. */
export function fitted(pen: CanvasRenderingContext2D, text: string, width: number): string {
  if (pen.measureText(text).width <= width) return text;
  let [low, high] = [0, text.length];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (pen.measureText(`${text.slice(0, middle)}…`).width <= width) low = middle;
    else high = middle - 1;
  }
  return low < 2 ? "" : `${text.slice(0, low)}…`;
}
