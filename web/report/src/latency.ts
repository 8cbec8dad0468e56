// Draws latency over time: median, 99th percentile and maximum, one chart for each population and region.

import { html, svg } from "../../src/dom.ts";
import { count, milliseconds } from "./format.ts";
import { populationsOf, type Report, type Run } from "./model.ts";
import { details, nothing, section } from "./page.ts";
import { lineColour } from "./palette.ts";
import { latencyTable, middles, of, slot, slotName } from "./requests.ts";
import { largest, sum } from "./stats.ts";
import { timeChart, type Frames } from "./timechart.ts";

export function drawLatency(report: Report, frames: Frames, parent: HTMLElement): void {
  const { run } = frames;
  const range = decades(run);
  if (!range) return void section("latency", "Latency", null, parent, nothing("This run measured no latency."));
  const rows = regionsOf(run, report.regions).flatMap((region) => {
    const made = populationsOf(run).flatMap((population) => chart(report, frames, population, region, range));
    return made.length === 0 ? [] : [html("h3", {}, `Clients in ${region}`), html("div", { class: "columns" }, ...made)];
  });
  section("latency", "Latency", "Response times count from the time when a request was due. All charts share one logarithmic scale.", parent, key(), ...rows, details("Table: latency by phase", () => latencyTable(run)));
}

function chart(report: Report, frames: Frames, population: string, region: string, y: readonly [number, number]): HTMLElement[] {
  const { run } = frames;
  const series = of(run, population).find((one) => one.region === region);
  if (!series) return [];
  const failed = sum(series.failed);
  const colour = lineColour(report.regions.indexOf(region));
  // A logarithmic axis has no place for 0.
  const drawn = (values: readonly (number | null)[]): (number | null)[] => values.map((value) => (value === null ? null : Math.max(value, y[0])));
  return [
    timeChart(frames, {
      label: `Latency of ${population} in ${region} over time: the longest response took ${milliseconds(largest(series.max_ms))}. The table below has the figures.`,
      // A population whose requests all failed has no slow answers, but it is not fast.
      title: `${population}: slowest answer ${milliseconds(largest(series.max_ms))}${failed > 0 ? `, ${count(failed)} requests failed` : ""}`,
      height: 170,
      times: middles(run),
      lines: [
        { colour, dash: 0, kind: "points", values: drawn(series.max_ms) },
        { colour, dash: 1, kind: "line", values: drawn(series.p99_ms) },
        { colour, dash: 0, kind: "thick", values: drawn(series.p50_ms) },
      ],
      y,
      isLogarithmic: true,
      readout: (time) => {
        const index = slot(run, time);
        const at = (values: readonly (number | null)[]): string => milliseconds(values[index] ?? null);
        return `${slotName(run, time)}: p50 ${at(series.p50_ms)} · p99 ${at(series.p99_ms)} · max ${at(series.max_ms)}`;
      },
    }),
  ];
}

/** Returns whole powers of ten around all values; `null` if there are none. */
function decades(run: Run): [number, number] | null {
  const values = run.series.flatMap(({ p50_ms, max_ms }) => [...p50_ms, ...max_ms]).filter((value) => value !== null && value > 0) as number[];
  if (values.length === 0) return null;
  const least = values.reduce((low, value) => Math.min(low, value), Infinity);
  const low = 10 ** Math.floor(Math.log10(Math.max(least, 0.01)));
  const high = 10 ** Math.ceil(Math.log10(largest(values) * 1.05));
  return [low, Math.max(high, low * 10)];
}

/** Returns the regions with series, in the report's order. */
function regionsOf(run: Run, order: readonly string[]): string[] {
  const found = new Set(run.series.map(({ region }) => region));
  return [...order.filter((region) => found.has(region)), ...[...found].filter((region) => !order.includes(region))];
}

function key(): HTMLElement {
  const sample = (attributes: Record<string, string | number>): SVGElement => svg("svg", { class: "swatch", viewBox: "0 0 28 10", "aria-hidden": "true" }, svg("path", { d: "M1 5H27", class: "stroke", ...attributes }));
  const dot = svg("svg", { class: "swatch", viewBox: "0 0 28 10", "aria-hidden": "true" }, svg("circle", { cx: 8, cy: 5, r: 2 }), svg("circle", { cx: 20, cy: 5, r: 2 }));
  return html("ul", { class: "key", "aria-label": "Lines of the latency charts" }, html("li", {}, sample({ "stroke-width": 2.5 }), "p50"), html("li", {}, sample({ "stroke-width": 1.5, "stroke-dasharray": "7 3" }), "p99"), html("li", {}, dot, "maximum"));
}
