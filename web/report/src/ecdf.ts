// The distribution of failover times: one line for each population and strategy, over all runs.

import uPlot from "uplot";
import { html, svg } from "../../src/dom.ts";
import { addChart, type Chart } from "./charts.ts";
import { count, milliseconds, percent, plural, tick } from "./format.ts";
import type { Report } from "./model.ts";
import { details, nothing, section, table } from "./page.ts";
import { colour, dash, lineColour } from "./palette.ts";
import { ascending, distribution, grouped, quantile } from "./stats.ts";
import { GUTTER, RIGHT } from "./timechart.ts";

const HEIGHT = 280;
const POINTS_MAX = 400;

/** The failovers of one population under one strategy. */
export interface Curve {
  readonly name: string;
  /** Times of the clients that failed over, in milliseconds, ascending. */
  readonly done: readonly number[];
  /** Number of all clients that were hit. */
  readonly n: number;
  readonly limits: readonly number[];
}

export function curvesOf({ runs }: Report): Curve[] {
  const all = runs.flatMap((run) => run.failovers.map((failover) => ({ ...failover, strategy: run.strategy })));
  const hasStrategies = new Set(runs.map(({ strategy }) => strategy)).size > 1;
  return [...grouped(all, ({ population, strategy }) => (hasStrategies ? `${population}, ${strategy}` : population))].map(([name, members]) => ({
    name,
    done: ascending(members.map(({ total_ms }) => total_ms)),
    n: members.length,
    limits: ascending(members.map(({ limit_ms }) => limit_ms)),
  }));
}

export function drawEcdf(report: Report, charts: Set<Chart>, parent: HTMLElement): void {
  const title = "Distribution of failover times";
  const curves = curvesOf(report);
  const values = curves.flatMap(({ done, limits }) => [...done, ...limits]).filter((value) => value > 0);
  if (values.length === 0) return void section("distribution", title, null, parent, nothing(curves.length === 0 ? "No fault hit a client." : "No client that was hit failed over before its fault ended."));
  const box = html("div", { class: "plot", role: "img", "aria-label": `Share of the clients that had failed over, by time. ${curves.map(sentence).join(" ")}` });
  const readout = html("p", { class: "readout" });
  const chart = new Ecdf(curves, values, box, readout);
  addChart(chart);
  charts.add(chart);
  const words = "The chart shows the share of all hit clients that got an answer within a time, over all faults and repetitions. A line stays below 100 % if clients did not fail over before the fault ended.";
  section("distribution", title, words, parent, key(curves), html("figure", {}, box, readout), details("Table: failover times", () => quantileTable(curves)));
}

class Ecdf implements Chart {
  #plot: uPlot | undefined;

  constructor(
    readonly curves: readonly Curve[],
    readonly values: readonly number[],
    readonly box: HTMLElement,
    readonly readout: HTMLElement,
  ) {
    this.#read(curves.flatMap(({ done }) => quantile(done, 0.5) ?? [])[0] ?? values[0] ?? 0);
  }

  resize(): void {
    const width = this.box.clientWidth;
    if (width === 0 || width === this.#plot?.width) return;
    if (this.#plot) this.#plot.setSize({ width, height: HEIGHT });
    else this.#create(width);
  }

  redraw(): void {
    this.#plot?.redraw(false, true);
  }

  remove(): void {
    this.#plot?.destroy();
    this.#plot = undefined;
  }

  #create(width: number): void {
    const [low, high] = this.#range();
    const look = { stroke: () => colour("--quiet"), font: "11px system-ui, sans-serif", grid: { stroke: () => colour("--edge"), width: 1 }, ticks: { show: false } };
    const lines = this.curves.flatMap((curve) => [distribution(curve.done, curve.n, POINTS_MAX), distribution(curve.limits, curve.limits.length, POINTS_MAX)]);
    // Each line begins at 0 and goes on to the right edge, as a distribution does.
    const tables = lines.map((points) => {
      const all = points.length === 0 ? [] : [{ x: low, share: 0 }, ...points.filter(({ x }) => x > low), { x: high, share: points.at(-1)?.share ?? 0 }];
      const steps = [...new Map(all.map(({ x, share }) => [x, share]))];
      return [steps.map(([x]) => x), steps.map(([, share]) => share * 100)] as uPlot.AlignedData;
    });
    const series = this.curves.flatMap((_, index): uPlot.Series[] => [
      { label: "", stroke: () => colour(lineColour(index)), width: 2, dash: dash(index), spanGaps: true, points: { show: false }, paths: uPlot.paths.stepped?.({ align: 1 }) },
      { label: "", stroke: () => colour(lineColour(index)), width: 1.5, dash: [2, 3], spanGaps: true, points: { show: false }, paths: uPlot.paths.stepped?.({ align: 1 }) },
    ]);
    this.#plot = new uPlot(
      {
        width,
        height: HEIGHT,
        padding: [10, RIGHT, 0, 0],
        legend: { show: false },
        cursor: { y: false, points: { show: false }, drag: { x: false, y: false, setScale: false }, bind: { mouseleave: () => () => null, dblclick: () => () => null } },
        scales: { x: { time: false, distr: 3, auto: false, range: () => [low, high] }, y: { auto: false, range: () => [0, 102] } },
        axes: [
          { ...look, size: 26, gap: 7, splits: () => ticks(low, high), filter: (_, splits) => splits, values: (_, splits) => splits.map(tick) },
          { ...look, size: GUTTER, gap: 5, values: (_, splits) => splits.map((split) => `${split} %`) },
        ],
        series: [{}, ...series],
        hooks: { setCursor: [({ cursor, posToVal }) => {
          if (cursor.event && typeof cursor.left === "number" && cursor.left >= 0) this.#read(posToVal(cursor.left, "x"));
        }] },
      },
      uPlot.join(tables, tables.map((one) => one.slice(1).map(() => 1))),
      this.box,
    );
  }

  /** Returns a range with room around the values on the logarithmic axis. */
  #range(): [number, number] {
    const sorted = ascending(this.values);
    return [(sorted[0] ?? 1) / 1.5, (sorted.at(-1) ?? 1) * 1.5];
  }

  #read(time: number): void {
    const shares = this.curves.map(({ name, done, n }) => `${name} ${percent(done.filter((value) => value <= time).length / n)}`);
    this.readout.textContent = `Within ${milliseconds(time)}: ${shares.join(" · ")}`;
  }
}

/** Returns 1, 2 and 5 times each power of ten in a range; in a wide range only the powers. */
function ticks(low: number, high: number): number[] {
  const powers = Array.from({ length: 12 }, (_, index) => 10 ** (index - 3));
  const factors = high / low > 1000 ? [1] : [1, 2, 5];
  return powers.flatMap((power) => factors.map((factor) => factor * power)).filter((value) => value >= low && value <= high);
}

function sentence({ name, done, n }: Curve): string {
  const never = n - done.length;
  return `${name}: median ${milliseconds(quantile(done, 0.5))}${never > 0 ? `, ${count(never)} of ${count(n)} did not fail over` : ""}.`;
}

function quantileTable(curves: readonly Curve[]): HTMLElement {
  const number = (name: string): { name: string; isNumber: true } => ({ name, isNumber: true });
  const rows = curves.map(({ name, done, n, limits }) => [name, count(n), count(n - done.length), ...[0, 0.5, 0.9, 0.99, 1].map((share) => milliseconds(quantile(done, share))), milliseconds(quantile(limits, 0.5))]);
  return table("Failover times", [{ name: "Population" }, number("Hit"), number("Did not fail over"), number("Fastest"), number("Median"), number("p90"), number("p99"), number("Slowest"), number("Limit, median")], rows);
}

function key(curves: readonly Curve[]): HTMLElement {
  const sample = (index: number): SVGElement => svg("svg", { class: "swatch", viewBox: "0 0 28 10", "aria-hidden": "true" }, svg("path", { class: `stroke line-${index % 6}`, d: "M1 5H27", "stroke-width": 2.5, "stroke-dasharray": dash(index).join(" ") || "none" }));
  const dots = svg("svg", { class: "swatch", viewBox: "0 0 28 10", "aria-hidden": "true" }, svg("path", { class: "stroke", d: "M1 5H27", "stroke-width": 1.5, "stroke-dasharray": "2 3" }));
  const items = curves.map(({ name, n }, index) => html("li", {}, sample(index), `${name}, ${plural(n, "failover")}`));
  return html("ul", { class: "key", "aria-label": "Lines of the distribution" }, ...items, html("li", {}, dots, "in the same colour: the limit, round trips that no client can save"));
}
