// A chart of the last minutes: one line for each cluster or region.

import uPlot from "uplot";
import { html, svg } from "../../src/dom.ts";
import { addChart, type Chart } from "../../report/src/charts.ts";
import { count, short } from "../../report/src/format.ts";
import { colour, dash, lineColour } from "../../report/src/palette.ts";
import { GUTTER, RIGHT } from "../../report/src/timechart.ts";

const HEIGHT = 180;
/** The part of the past that the chart shows. */
const SPAN_S = 600;
/** Width of the chart while it has no past. */
const SPAN_MIN_S = 60;

/** Values of one moment, by line. */
interface Moment {
  readonly time: number;
  readonly values: ReadonlyMap<string, number>;
}

/** Draws values as they come. It forgets those that are older than ten minutes. */
export class Trend implements Chart {
  readonly element: HTMLElement;
  readonly #box: HTMLElement;
  readonly #key = html("ul", { class: "key", "aria-label": "Lines of the chart" });
  readonly #words = html("p", { class: "readout" });
  readonly #title: string;
  readonly #write: (value: number | null) => string;
  #names: readonly string[] = [];
  #moments: Moment[] = [];
  #plot: uPlot | undefined;

  /** `write` writes a value for readers. */
  constructor(title: string, charts: Set<Chart>, write: (value: number | null) => string = count) {
    this.#title = title;
    this.#write = write;
    this.#box = html("div", { class: "plot", role: "img", "aria-label": title });
    this.element = html("figure", {}, html("figcaption", { class: "hidden" }, title), this.#key, this.#box, this.#words);
    addChart(this);
    charts.add(this);
  }

  /** Adds the values of a moment. */
  add(at: string, values: ReadonlyMap<string, number>): void {
    const time = Date.parse(at) / 1000;
    if (!Number.isFinite(time)) return;
    this.#moments = [...this.#moments.filter((moment) => moment.time > time - SPAN_S && moment.time < time), { time, values }];
    const names = [...new Set(this.#moments.flatMap((moment) => [...moment.values.keys()]))].sort();
    const isNew = names.join("\n") !== this.#names.join("\n");
    this.#names = names;
    const words = values.size === 0 ? "no values" : names.map((name) => `${name} ${this.#write(values.get(name) ?? null)}`).join(" · ");
    this.#words.textContent = `Now: ${words}`;
    this.#box.setAttribute("aria-label", `${this.#title}, the last ten minutes. Now: ${words}`);
    if (isNew) this.#begin();
    else this.#plot?.setData(this.#data());
  }

  resize(): void {
    const width = this.#box.clientWidth;
    if (width === 0 || width === this.#plot?.width) return;
    if (this.#plot) this.#plot.setSize({ width, height: HEIGHT });
    else if (this.#names.length > 0) this.#create(width);
  }

  redraw(): void {
    this.#plot?.redraw(false, true);
  }

  remove(): void {
    this.#plot?.destroy();
    this.#plot = undefined;
  }

  #begin(): void {
    const sample = (index: number): SVGElement => svg("svg", { class: "swatch", viewBox: "0 0 28 10", "aria-hidden": "true" }, svg("path", { class: `stroke ${lineColour(index).slice(2)}`, d: "M1 5H27", "stroke-width": 2.5, "stroke-dasharray": dash(index).join(" ") || "none" }));
    this.#key.replaceChildren(...this.#names.map((name, index) => html("li", {}, sample(index), name)));
    this.remove();
    this.resize();
  }

  #data(): uPlot.AlignedData {
    const lines = this.#names.map((name) => this.#moments.map(({ values }) => values.get(name) ?? null));
    return [this.#moments.map(({ time }) => time), ...lines] as uPlot.AlignedData;
  }

  #create(width: number): void {
    const look = { stroke: () => colour("--quiet"), font: "11px system-ui, sans-serif", grid: { stroke: () => colour("--edge"), width: 1 }, ticks: { show: false } };
    const series = this.#names.map((_, index): uPlot.Series => ({ label: "", stroke: () => colour(lineColour(index)), width: 2, dash: dash(index), points: { show: () => this.#moments.length < 2, size: 6 } }));
    const clock = (time: number): string => new Date(time * 1000).toISOString().slice(11, 19);
    this.#plot = new uPlot(
      {
        width,
        height: HEIGHT,
        padding: [10, RIGHT, 0, 0],
        legend: { show: false },
        cursor: { show: false },
        scales: {
          x: { time: true, range: () => this.#range() },
          y: { range: (_, __, high) => [0, Math.max(5, (high ?? 0) * 1.15)] },
        },
        axes: [
          { ...look, size: 26, gap: 7, incrs: [15, 30, 60, 120, 300], space: 70, values: (_, splits) => splits.map(clock) },
          { ...look, size: GUTTER, gap: 5, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 1e4, 2e4, 5e4, 1e5, 1e6], values: (_, splits) => splits.map(short) },
        ],
        series: [{}, ...series],
      },
      this.#data(),
      this.#box,
    );
  }

  #range(): [number, number] {
    const [first, last] = [this.#moments[0]?.time ?? 0, this.#moments.at(-1)?.time ?? 0];
    return [Math.min(first, last - SPAN_MIN_S), last];
  }
}
