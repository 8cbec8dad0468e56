// Draws answered and failed requests over time, for each population and region.

import { html } from "../../src/dom.ts";
import { count, milliseconds, percent, seconds } from "./format.ts";
import { populationsOf, type Phase, type Report, type Run, type Series } from "./model.ts";
import { details, nothing, section, table, type Cell } from "./page.ts";
import { lineColour } from "./palette.ts";
import { ascending, evenly, largest, quantile, sum } from "./stats.ts";
import { DENSE, timeChart, type Frames, type Line } from "./timechart.ts";

const SLOTS_MAX = 120;

/** Draws throughput and failed requests. */
export function drawRequests(report: Report, frames: Frames, parent: HTMLElement): void {
  const { run } = frames;
  const title = "Throughput and failed requests";
  if (run.series.length === 0) return void section("requests", title, null, parent, nothing("This run sent no requests."));
  const intro = "loadgen counts a request at the time when it was due. A failed request got no answer before its deadline. Regions are stacked in the order of the key, from the bottom. Drag in a chart to show a part of the run; double-click shows all of it.";
  const content: Cell[] = [
    html("h3", {}, "Requests per second, by the region of the clients; stripes mark failed requests"),
    charts(frames, (population) => throughput(report, frames, population)),
    html("h3", {}, "Failed requests per second, by the region of the clients"),
    charts(frames, (population) => failures(report, frames, population)),
    details("Table: requests by phase", () => phaseTable(run)),
    details("Table: requests by time", () => slotTable(run)),
  ];
  section("requests", title, intro, parent, ...content);
}

function charts({ run }: Frames, made: (population: string) => HTMLElement): HTMLElement {
  const populations = populationsOf(run).filter((population) => of(run, population).length > 0);
  return html("div", { class: "columns" }, ...populations.map(made));
}

/** Draws answered requests as stacked areas, and failed ones on top: together they are the load. */
function throughput(report: Report, { run, ...frames }: Frames, population: string): HTMLElement {
  const series = inOrder(report, of(run, population));
  const failed = summed(series.map((one) => one.failed));
  const layers = [...series.map(({ ok }) => ok), failed];
  const hasEdge = failed.length <= DENSE;
  const lines = stacked(run, layers).map((values, index): Line => {
    const region = series[index]?.region;
    if (region === undefined) return { colour: "--bad", dash: 0, kind: "striped", values, hasEdge };
    return { ...area(report, region), values, hasEdge };
  });
  const [answered, lost] = [sum(layers.slice(0, -1).map(sum)), sum(failed)] as const;
  return timeChart({ run, ...frames }, {
    label: `Requests per second of ${population}: ${count(answered)} answered, ${count(lost)} failed. The tables below have the figures.`,
    title: `${population}: ${count(answered)} answered, ${count(lost)} failed`,
    height: 220,
    times: starts(run),
    // The tallest first: the others are drawn over it.
    lines: lines.reverse(),
    y: [0, highest(run, ({ ok, failed }) => summed([ok, failed]))],
    isHeaded: true,
    readout: (time) => {
      const at = (values: readonly number[]): string => `${count((values[slot(run, time)] ?? 0) / run.step_s)}/s`;
      return `${slotName(run, time)}: ${[...series.map(({ region, ok }) => `${region} ${at(ok)}`), `failed ${at(failed)}`].join(" · ")}`;
    },
  });
}

function failures(report: Report, { run, ...frames }: Frames, population: string): HTMLElement {
  const series = inOrder(report, of(run, population));
  const lines = stacked(run, series.map(({ failed }) => failed)).map((values, index): Line => ({ ...area(report, series[index]?.region ?? ""), values }));
  const total = sum(series.map(({ failed }) => sum(failed)));
  return timeChart({ run, ...frames }, {
    label: `Failed requests per second of ${population}: ${count(total)} in all. The tables below have the figures.`,
    title: `${population}: ${count(total)} failed`,
    height: 150,
    times: starts(run),
    lines: lines.reverse(),
    y: [0, highest(run, ({ failed }) => failed)],
    readout: (time) => `${slotName(run, time)}: ${series.map(({ region, failed }) => `${region} ${count((failed[slot(run, time)] ?? 0) / run.step_s)}/s`).join(" · ")}`,
  });
}

function area({ regions }: Report, region: string): Omit<Line, "values"> {
  const index = regions.indexOf(region);
  return { colour: lineColour(index), dash: index, kind: "area" };
}

/** Sorts series by region, in the order of the key. */
function inOrder({ regions }: Report, series: readonly Series[]): Series[] {
  return [...series].sort((a, b) => regions.indexOf(a.region) - regions.indexOf(b.region));
}

/** Adds to the rate of each layer the rates below it. The last value stands twice, because steps need an end. */
function stacked(run: Run, layers: readonly (readonly number[])[]): number[][] {
  return layers.map((_, index) => {
    const values = summed(layers.slice(0, index + 1)).map((value) => value / run.step_s);
    return [...values, values.at(-1) ?? 0];
  });
}

function summed(lists: readonly (readonly number[])[]): number[] {
  const slots = lists.reduce((most, { length }) => Math.max(most, length), 0);
  return Array.from({ length: slots }, (_, index) => sum(lists.map((list) => list[index] ?? 0)));
}

/** Returns the top of the axis. All populations share it, so that readers can compare heights. */
function highest(run: Run, counts: (series: Series) => readonly number[]): number {
  const tops = populationsOf(run).map((population) => largest(summed(of(run, population).map(counts))));
  return (largest(tops) / run.step_s) * 1.08 || 1;
}

/** Returns the start of each slot, and the end of the last one. */
function starts(run: Run): number[] {
  return Array.from({ length: slotsOf(run) + 1 }, (_, index) => index * run.step_s);
}

/** Returns the series of a population. */
export function of(run: Run, population: string): Series[] {
  return run.series.filter((series) => series.population === population);
}

/** Returns the number of slots. */
function slotsOf(run: Run): number {
  return largest(run.series.map(({ ok }) => ok.length));
}

/** Returns the middle of each slot. */
export function middles(run: Run): number[] {
  return Array.from({ length: slotsOf(run) }, (_, index) => (index + 0.5) * run.step_s);
}

/** Returns the index of the slot of a time. */
export function slot(run: Run, time: number): number {
  return Math.max(0, Math.min(slotsOf(run) - 1, Math.floor(time / run.step_s + 1e-9)));
}

export function slotName(run: Run, time: number): string {
  const from = slot(run, time) * run.step_s;
  return `${Number(from.toFixed(3))}–${seconds(Number((from + run.step_s).toFixed(3)))}`;
}

/** Returns the phases, or the whole run if it has none. */
export function phasesOf(run: Run): readonly Phase[] {
  return run.phases.length > 0 ? run.phases : [{ name: "whole run", from_s: 0, to_s: run.duration_s }];
}

/** Returns the indices of the slots whose middle lies in a phase. */
function slotsIn(run: Run, phase: Phase): number[] {
  return middles(run).flatMap((time, index) => (time >= phase.from_s && time < phase.to_s ? [index] : []));
}

function phaseTable(run: Run): HTMLElement {
  const rows = phasesOf(run).flatMap((phase) => {
    const slots = slotsIn(run, phase);
    return run.series.map(({ population, region, ok, failed }): Cell[] => {
      const [answered, lost] = [ok, failed].map((values) => sum(slots.map((index) => values[index] ?? 0))) as [number, number];
      return [phase.name, population, region, count(answered), count(lost), answered + lost === 0 ? "–" : percent(lost / (answered + lost))];
    });
  });
  return table("Requests by phase", [{ name: "Phase" }, { name: "Population" }, { name: "Region" }, { name: "Answered", isNumber: true }, { name: "Failed", isNumber: true }, { name: "Failed share", isNumber: true }], rows);
}

function slotTable(run: Run): HTMLElement {
  const times = middles(run);
  const shown = evenly(times.length, SLOTS_MAX);
  const columns = run.series.map(({ population, region }) => ({ name: `${population}, ${region}: answered / failed`, isNumber: true }));
  const rows = shown.map((index) => [slotName(run, times[index] ?? 0), ...run.series.map(({ ok, failed }) => `${count(ok[index] ?? 0)} / ${count(failed[index] ?? 0)}`)]);
  return html("div", {}, sampled(shown.length, times.length), table("Requests by time", [{ name: "Time" }, ...columns], rows));
}

/** Names the number of slots that a table shows. */
function sampled(shown: number, all: number): HTMLElement {
  return html("p", { class: "quiet" }, shown === all ? `All ${count(all)} time slots.` : `${count(shown)} of ${count(all)} time slots, evenly spread. report.json has all of them.`);
}

/** Makes the table of latency by phase. Quantiles cannot be added, so the table has the median and the worst of the slots. */
export function latencyTable(run: Run): HTMLElement {
  const rows = phasesOf(run).flatMap((phase) => {
    const slots = slotsIn(run, phase);
    return run.series.map(({ population, region, p50_ms, p99_ms, max_ms }): Cell[] => {
      const within = (values: readonly (number | null)[]): number[] => ascending(slots.map((index) => values[index] ?? null));
      return [phase.name, population, region, milliseconds(quantile(within(p50_ms), 0.5)), milliseconds(within(p99_ms).at(-1) ?? null), milliseconds(within(max_ms).at(-1) ?? null)];
    });
  });
  return table("Latency by phase", [{ name: "Phase" }, { name: "Population" }, { name: "Region" }, { name: "p50, median of slots", isNumber: true }, { name: "p99, worst slot", isNumber: true }, { name: "Maximum", isNumber: true }], rows);
}
