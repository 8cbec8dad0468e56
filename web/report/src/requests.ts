// Requests over time: how many were answered and how many failed, for each population and region.

import { html } from "../../src/dom.ts";
import { count, milliseconds, percent, seconds } from "./format.ts";
import { populationsOf, type Phase, type Report, type Run, type Series } from "./model.ts";
import { details, nothing, section, table, type Cell } from "./page.ts";
import { lineColour } from "./palette.ts";
import { ascending, evenly, largest, quantile, sum } from "./stats.ts";
import { timeChart, type Frames } from "./timechart.ts";

const SLOTS_MAX = 120;

/** Draws throughput and failed requests. */
export function drawRequests(report: Report, frames: Frames, parent: HTMLElement): void {
  const { run } = frames;
  const intro = "Requests count at the time when they were due. A failed request got no answer before its deadline. Drag in a chart to show a part of the run; double-click shows all of it.";
  if (run.series.length === 0) return void section("requests", "Throughput and failed requests", null, parent, nothing("This run sent no requests."));
  const rows = [charts(report, frames, "ok"), charts(report, frames, "failed")];
  section(
    "requests",
    "Throughput and failed requests",
    intro,
    parent,
    html("h3", {}, "Answered requests per second"),
    rows[0] ?? "",
    html("h3", {}, "Failed requests per second"),
    rows[1] ?? "",
    details("Table: requests by phase", () => phaseTable(run)),
    details("Table: requests by time", () => slotTable(run)),
  );
}

function charts(report: Report, frames: Frames, which: "ok" | "failed"): HTMLElement {
  const { run } = frames;
  const perSecond = (values: readonly number[]): number[] => values.map((value) => value / run.step_s);
  // Failures are stacked: their sum is what users notice.
  const stacks = new Map(populationsOf(run).map((population) => [population, stacked(run, population, which, perSecond)]));
  const high = largest([...stacks.values()].flat().map(({ drawn }) => largest(drawn))) * 1.08 || 1;
  const made = [...stacks].filter(([, lines]) => lines.length > 0).map(([population, lines]) => {
    const total = sum(lines.flatMap(({ values }) => values)) * run.step_s;
    return timeChart(frames, {
      label: `${which === "ok" ? "Answered" : "Failed"} requests per second of ${population}: ${count(total)} in all. The tables below have the figures.`,
      title: `${population}: ${count(total)} ${which === "ok" ? "answered" : "failed"}`,
      height: which === "ok" ? 210 : 150,
      times: middles(run),
      lines: lines.map(({ region, drawn }) => ({ colour: lineColour(report.regions.indexOf(region)), dash: report.regions.indexOf(region), kind: which === "ok" ? "line" : "bars", values: drawn })),
      y: [0, high],
      isHeaded: which === "ok",
      readout: (time) => `${slotName(run, time)}: ${[...lines].reverse().map(({ region, values }) => `${region} ${count(values[slot(run, time)] ?? 0)}/s`).join(" · ")}`,
    });
  });
  return html("div", { class: "columns" }, ...made);
}

interface Stacked {
  readonly region: string;
  readonly values: readonly number[];
  /** What is drawn: of failures the sum with those of the regions below. */
  readonly drawn: readonly number[];
}

/** The lines of a population, in the order in which they are drawn: of bars the tallest first. */
function stacked(run: Run, population: string, which: "ok" | "failed", perSecond: (values: readonly number[]) => number[]): Stacked[] {
  let below: number[] = [];
  const lines = of(run, population).map(({ region, [which]: counts }) => {
    const values = perSecond(counts);
    below = values.map((value, index) => value + (below[index] ?? 0));
    return { region, values, drawn: which === "ok" ? values : below };
  });
  return lines.reverse();
}

/** The series of a population. */
export function of(run: Run, population: string): Series[] {
  return run.series.filter((series) => series.population === population);
}

/** The middle of each slot. */
export function middles(run: Run): number[] {
  const slots = Math.max(0, ...run.series.map(({ ok }) => ok.length));
  return Array.from({ length: slots }, (_, index) => (index + 0.5) * run.step_s);
}

/** The slot of a time. */
export function slot(run: Run, time: number): number {
  const last = middles(run).length - 1;
  return Math.max(0, Math.min(last, Math.floor(time / run.step_s + 1e-9)));
}

export function slotName(run: Run, time: number): string {
  const from = slot(run, time) * run.step_s;
  return `${Number(from.toFixed(3))}–${seconds(Number((from + run.step_s).toFixed(3)))}`;
}

/** The phases, or the whole run where none are named. */
export function phasesOf(run: Run): readonly Phase[] {
  return run.phases.length > 0 ? run.phases : [{ name: "whole run", from_s: 0, to_s: run.duration_s }];
}

/** The indices of the slots whose middle lies in a phase. */
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

/** Says how many of the slots a table shows. */
function sampled(shown: number, all: number): HTMLElement {
  return html("p", { class: "quiet" }, shown === all ? `All ${count(all)} time slots.` : `${count(shown)} of ${count(all)} time slots, evenly spread. report.json has all of them.`);
}

/** Latency by phase: quantiles cannot be added, so the table has the median and the worst of the slots. */
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
