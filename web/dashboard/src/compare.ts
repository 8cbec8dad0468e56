// Two runs side by side, by their figures.

import { html } from "../../src/dom.ts";
import { resizeCharts } from "../../report/src/charts.ts";
import { rowsOf, type Row } from "../../report/src/compare.ts";
import { drawEcdf } from "../../report/src/ecdf.ts";
import { count, milliseconds, plural } from "../../report/src/format.ts";
import type { Report } from "../../report/src/model.ts";
import { section, type Cell } from "../../report/src/page.ts";
import type { Manifest } from "./model.ts";
import type { Place } from "./main.ts";
import { badge, captioned, entitle, notice } from "./parts.ts";
import { reportOf } from "./run.ts";
import { duration, startOf } from "./words.ts";

interface Side {
  /** `A` or `B`. */
  readonly letter: string;
  readonly manifest: Manifest;
  readonly report: Report;
}

export async function drawComparison(place: Place, names: readonly string[]): Promise<void> {
  entitle("Comparison");
  const [a, b] = await Promise.all([sideOf(place, "A", names[0] ?? ""), sideOf(place, "B", names[1] ?? "")]);
  const { view, charts } = place;
  if (a instanceof Error || b instanceof Error) return view.append(...[a, b].flatMap((side) => (side instanceof Error ? [notice(side.message, true)] : [])));
  entitle("Comparison", `A: ${startOf(a.manifest.run)} UTC. B: ${startOf(b.manifest.run)} UTC.`);
  if (a.manifest.scenario_sha256 !== b.manifest.scenario_sha256 || a.manifest.changes.join() !== b.manifest.changes.join()) {
    view.append(notice("The two runs did not play the same scenario with the same options, so their figures differ for that reason, too."));
  }
  section("facts", "Runs", null, view, factTable(a, b));
  section("thresholds", "Thresholds", null, view, thresholdTable(a, b));
  section("figures", "Figures", null, view, figureTable(a, b));
  drawEcdf(together(a, b), charts, view);
  resizeCharts();
}

async function sideOf(place: Place, letter: string, name: string): Promise<Side | Error> {
  const manifest = await place.api.get<Manifest>(`/api/runs/${encodeURIComponent(name)}`, place.signal);
  const report = await reportOf(place, manifest);
  return report instanceof Error ? report : { letter, manifest, report };
}

/** Makes one report of both. The letters stand in place of strategies, so that the report's own charts compare the runs. */
function together(a: Side, b: Side): Report {
  const runs = [a, b].flatMap(({ letter, report }) => report.runs.map((run) => ({ ...run, strategy: run.strategy === "" ? letter : `${letter} ${run.strategy}` })));
  return { ...a.report, runs };
}

function factTable(a: Side, b: Side): HTMLElement {
  const facts: readonly (readonly [string, (side: Side) => Cell])[] = [
    ["Run", ({ manifest }) => html("a", { href: `/runs/${manifest.run}` }, startOf(manifest.run))],
    ["Verdict", ({ manifest }) => badge(manifest.verdict)],
    ["Scenario", ({ manifest }) => manifest.scenario],
    ["Changed options", ({ manifest }) => (manifest.changes.length === 0 ? "–" : manifest.changes.join("; "))],
    ["Duration", ({ manifest }) => duration(manifest.duration_s)],
    ["Seed", ({ manifest }) => String(manifest.seed)],
    ["loadgen", ({ manifest }) => manifest.loadgen],
    ["nats-server", ({ manifest }) => manifest.nats_servers.map(({ version }) => version).join(", ")],
    ["WAN", ({ manifest }) => manifest.wan],
    ["Machine", ({ manifest: { host } }) => `${host.name}, ${plural(host.cores, "core")}`],
  ];
  return captioned("Facts of both runs", [{ name: "Fact" }, { name: "A" }, { name: "B" }], facts.map(([name, of]) => [name, of(a), of(b)]));
}

function thresholdTable(a: Side, b: Side): HTMLElement {
  const texts = [...new Set([a, b].flatMap(({ report }) => report.thresholds.map(({ text }) => text)))];
  if (texts.length === 0) return html("p", { class: "quiet" }, "Neither run has a threshold.");
  const cell = ({ report }: Side, text: string): Cell => {
    const found = report.thresholds.find((threshold) => threshold.text === text);
    if (!found) return "–";
    const [kind, sign] = found.holds === null ? ["unknown", "?"] : found.holds ? ["good", "✓"] : ["bad", "✗"];
    return html("span", { class: kind }, `${sign} ${found.measured ?? "not measured"}`);
  };
  return captioned("Thresholds of both runs", [{ name: "Threshold" }, { name: "A" }, { name: "B" }], texts.map((text) => [text, cell(a, text), cell(b, text)]));
}

/** One line for each figure of each population. The difference is that of B to A. */
function figureTable(a: Side, b: Side): HTMLElement {
  const [ofA, ofB] = [rowsOf(a.report), rowsOf(b.report)];
  const key = ({ strategy, population }: Row): string => (strategy === "" ? population : `${population}, ${strategy}`);
  const keys = [...new Set([...ofA, ...ofB].map(key))];
  const rows = keys.flatMap((name) => {
    const [rowA, rowB] = [ofA, ofB].map((all) => all.find((row) => key(row) === name));
    const line = (figure: string, of: (row: Row) => number | null, text: (value: number | null) => string): Cell[] => {
      const [valueA, valueB] = [rowA, rowB].map((row) => (row ? of(row) : null));
      return [`${name}: ${figure}`, text(valueA ?? null), text(valueB ?? null), difference(valueA ?? null, valueB ?? null, text)];
    };
    return [
      line("median failover", ({ median }) => median, milliseconds),
      line("p90 failover", ({ p90 }) => p90, milliseconds),
      line("clients hit", ({ hit }) => hit, count),
      line("did not fail over", ({ never }) => never, count),
      line("failed requests", ({ failed }) => failed, count),
      line("all requests", ({ requests }) => requests, count),
    ];
  });
  if (rows.length === 0) return html("p", { class: "quiet" }, "Neither run has clients.");
  const number = (name: string): { name: string; isNumber: true } => ({ name, isNumber: true });
  return captioned("Figures of both runs", [{ name: "Figure" }, number("A"), number("B"), number("Difference")], rows);
}

function difference(a: number | null, b: number | null, text: (value: number) => string): string {
  if (a === null || b === null) return "–";
  const share = a === 0 ? "" : `, ${signed(Math.round((b / a - 1) * 100), String)} %`;
  return `${signed(b - a, text)}${a === b ? "" : share}`;
}

function signed(value: number, text: (value: number) => string): string {
  if (value === 0) return text(0);
  return `${value > 0 ? "+" : "−"}${text(Math.abs(value))}`;
}
