// Draws one chart over time. It shares the time axis with all others; a text below it has the values at the cursor.

import uPlot from "uplot";
import { html } from "../../src/dom.ts";
import { drawEdges, drawHeader, drawShades, HEADER, HEADER_SHORT, type Frame } from "./bands.ts";
import { addChart, type Chart } from "./charts.ts";
import { short, tick } from "./format.ts";
import type { Run } from "./model.ts";
import { areaFill, colour, dash, stripes } from "./palette.ts";
import type { TimeAxis } from "./time.ts";

/** Width of the column of axis labels in CSS pixels: one for all charts, so that times stand below each other. */
export const GUTTER = 46;
/** Room for half of the last label of the time axis. */
export const RIGHT = 20;
const FONT = "11px system-ui, sans-serif";

/** With more values than this, marks and edges would cover each other. */
export const DENSE = 240;

/** Distances of ticks: 1, 2, 5, 10 and so on. */
const WHOLE_STEPS = Array.from({ length: 10 }, (_, power) => [1, 2, 5].map((factor) => factor * 10 ** power)).flat();

/** The things that all charts of one run share. */
export interface Frames {
  readonly run: Run;
  readonly axis: TimeAxis;
  /** The charts of this run, to be removed when another one is chosen. */
  readonly charts: Set<Chart>;
}

/** One line, row of points or area. */
export interface Line {
  readonly colour: string;
  /** Index of the dash, or of the region of an area. */
  readonly dash: number;
  readonly kind: "line" | "thick" | "points" | "area" | "striped";
  /** Whether an area has an edge. Edges cover slots that are a few pixels wide. */
  readonly hasEdge?: boolean;
  readonly values: readonly (number | null)[];
}

export interface TimeChartOptions {
  /** One sentence about the chart, for readers who do not see it. */
  readonly label: string;
  /** Title above the chart. */
  readonly title: string;
  readonly height: number;
  /** The times of the values, ascending. */
  readonly times: readonly number[];
  readonly lines: readonly Line[];
  /** The range of values: counts, or milliseconds above 0 on a logarithmic axis. */
  readonly y: readonly [number, number];
  readonly isLogarithmic?: boolean;
  /** Whether names of phases and faults stand above the plot; else only the numbers of faults. */
  readonly isHeaded?: boolean;
  /** The values at a time, in words. */
  readonly readout: (time: number) => string;
}

/** Makes a chart; it is drawn once its box has a width. */
export function timeChart(frames: Frames, options: TimeChartOptions): HTMLElement {
  const box = html("div", { class: "plot", role: "img", "aria-label": options.label });
  const readout = html("p", { class: "readout" });
  const chart = new TimeChart(frames, options, box);
  addChart(chart);
  frames.charts.add(chart);
  frames.axis.onCursor(() => {
    readout.textContent = options.readout(frames.axis.cursor);
    chart.moveCursor();
  });
  frames.axis.onRange(() => chart.showRange());
  return html("figure", {}, html("figcaption", {}, options.title), box, readout);
}

class TimeChart implements Chart {
  readonly #frames: Frames;
  readonly #options: TimeChartOptions;
  readonly #box: HTMLElement;
  #plot: uPlot | undefined;

  constructor(frames: Frames, options: TimeChartOptions, box: HTMLElement) {
    this.#frames = frames;
    this.#options = options;
    this.#box = box;
  }

  resize(): void {
    const width = this.#box.clientWidth;
    if (width === 0 || width === this.#plot?.width) return;
    if (this.#plot) this.#plot.setSize({ width, height: this.#options.height });
    else this.#create(width);
    this.#moveCursorLater();
  }

  redraw(): void {
    this.#plot?.redraw(false, true);
  }

  remove(): void {
    this.#plot?.destroy();
    this.#plot = undefined;
  }

  moveCursor(): void {
    if (!this.#plot) return;
    const { cursor, range } = this.#frames.axis;
    const isShown = cursor >= range[0] && cursor <= range[1];
    this.#plot.setCursor({ left: isShown ? this.#plot.valToPos(cursor, "x") : -10, top: 0 }, false);
  }

  showRange(): void {
    const [min, max] = this.#frames.axis.range;
    this.#plot?.setScale("x", { min, max });
    this.#moveCursorLater();
  }

  /** Moves the cursor once uPlot has changed its scales, which it does in a microtask. */
  #moveCursorLater(): void {
    queueMicrotask(() => this.moveCursor());
  }

  #create(width: number): void {
    const { height, times, lines } = this.#options;
    const { axis } = this.#frames;
    const [min, max] = this.#options.y;
    this.#plot = new uPlot(
      {
        width,
        height,
        padding: [this.#options.isHeaded ? HEADER : HEADER_SHORT, RIGHT, 0, 0],
        legend: { show: false },
        cursor: this.#cursor(),
        scales: {
          x: { time: false, auto: false, range: () => [...axis.range] as [number, number] },
          y: { auto: false, distr: this.#options.isLogarithmic ? 3 : 1, range: () => [min, max] },
        },
        axes: this.#axes(),
        series: [{}, ...lines.map((line) => series(line, times.length))],
        hooks: this.#hooks(),
      },
      [times as number[], ...lines.map(({ values }) => values as (number | null)[])],
      this.#box,
    );
  }

  #axes(): uPlot.Axis[] {
    const look = { stroke: () => colour("--quiet"), font: FONT, grid: { stroke: () => colour("--edge"), width: 1 }, ticks: { show: false } };
    return [
      { ...look, size: 26, gap: 7, values: (_, splits) => splits.map((split) => `${short(split)} s`) },
      { ...look, size: GUTTER, gap: 5, ...this.#valueTicks() },
    ];
  }

  #valueTicks(): Partial<uPlot.Axis> {
    if (this.#options.isLogarithmic) return { values: (_, splits) => splits.map((split) => (split === null ? "" : tick(split))) };
    // Counts have no fractions.
    return { incrs: WHOLE_STEPS, values: (_, splits) => splits.map((split) => short(split)) };
  }

  #hooks(): uPlot.Hooks.Arrays {
    const { run, axis } = this.#frames;
    return {
      drawClear: [(plot) => {
        drawShades(plot.ctx, frame(plot), run);
        drawEdges(plot.ctx, frame(plot), run);
      }],
      draw: [(plot) => drawHeader(plot.ctx, frame(plot), run, this.#options.isHeaded === true)],
      setCursor: [({ posToVal, cursor }) => {
        // Without an event, not the reader but the page moved the cursor.
        if (cursor.event && typeof cursor.left === "number" && cursor.left >= 0) axis.moveCursor(posToVal(cursor.left, "x"));
      }],
      setSelect: [(plot) => {
        const { left, width } = plot.select;
        if (width > 0) axis.show(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
        plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
      }],
    };
  }

  #cursor(): uPlot.Cursor {
    return {
      y: false,
      points: { show: false },
      drag: { x: true, y: false, setScale: false },
      bind: {
        // The cursor stays where it was, because the text below has its values.
        mouseleave: () => () => null,
        dblclick: () => () => {
          this.#frames.axis.showAll();
          return null;
        },
      },
    };
  }
}

function frame(plot: uPlot): Frame {
  return { ...plot.bbox, ratio: uPlot.pxRatio, x: (time) => plot.valToPos(time, "x", true) };
}

function series({ kind, colour: name, dash: index, hasEdge }: Line, points: number): uPlot.Series {
  const stroke = (): string => colour(name);
  const none = { points: { show: false }, stroke };
  switch (kind) {
    case "line":
    case "thick":
      return { ...none, width: kind === "thick" ? 2.5 : 1.5, dash: dash(index) };
    case "points":
      return { stroke, width: 0, paths: () => null, points: { show: true, size: points > DENSE ? 2.5 : 4, width: 1, stroke, fill: stroke } };
    case "area":
      return { ...none, width: hasEdge ? 1 : 0, stroke: () => colour("--card"), fill: (plot) => areaFill(plot.ctx, uPlot.pxRatio, index) as CanvasPattern, paths: uPlot.paths.stepped?.({ align: 1 }) };
    case "striped":
      return { ...none, width: hasEdge ? 1 : 0, fill: (plot) => stripes(plot.ctx, uPlot.pxRatio) as CanvasPattern, paths: uPlot.paths.stepped?.({ align: 1 }) };
  }
}
