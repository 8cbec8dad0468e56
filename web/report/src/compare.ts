// Compares strategies. Each figure covers all repetitions of a strategy.

import { html, svg } from "../../src/dom.ts";
import { count, milliseconds } from "./format.ts";
import type { Report } from "./model.ts";
import { section, table, type Cell } from "./page.ts";
import { ascending, grouped, largest, quantile, sum } from "./stats.ts";

/** The figures of one population under one strategy, over all repetitions. */
export interface Row {
  readonly strategy: string;
  readonly population: string;
  readonly repetitions: number;
  readonly hit: number;
  readonly never: number;
  readonly median: number | null;
  readonly p90: number | null;
  readonly failed: number;
  readonly requests: number;
}

/** Draws the comparison if the report has something to compare. */
export function drawComparison(report: Report, parent: HTMLElement): void {
  const rows = rowsOf(report);
  if (new Set(rows.map(({ strategy }) => strategy)).size < 2) return;
  const most = { median: largest(rows.map(({ median }) => median)), p90: largest(rows.map(({ p90 }) => p90)), failed: largest(rows.map(({ failed }) => failed)) };
  const number = (name: string): { name: string; isNumber: true } => ({ name, isNumber: true });
  const columns = [{ name: "Strategy" }, { name: "Population" }, number("Repetitions"), number("Hit"), number("Did not fail over"), number("Median failover"), number("p90 failover"), number("Failed requests"), number("All requests")];
  const cells = rows.map((row): Cell[] => [row.strategy, row.population, count(row.repetitions), count(row.hit), count(row.never), barred(milliseconds(row.median), row.median, most.median), barred(milliseconds(row.p90), row.p90, most.p90), barred(count(row.failed), row.failed, most.failed), count(row.requests)]);
  section("comparison", "Comparison of strategies", "All strategies met the same faults under the same load. Median and p90 count the clients that failed over; the others have a column of their own. A shorter bar is better.", parent, table("Comparison of strategies", columns, cells));
}

export function rowsOf({ runs }: Report): Row[] {
  return [...grouped(runs, ({ strategy }) => strategy)].flatMap(([strategy, ofStrategy]) => {
    const populations = new Set(ofStrategy.flatMap(({ series, failovers }) => [...series, ...failovers].map(({ population }) => population)));
    return [...populations].map((population) => {
      const failovers = ofStrategy.flatMap((run) => run.failovers.filter((one) => one.population === population));
      const series = ofStrategy.flatMap((run) => run.series.filter((one) => one.population === population));
      const done = ascending(failovers.map(({ total_ms }) => total_ms));
      const failed = sum(series.map((one) => sum(one.failed)));
      return { strategy, population, repetitions: ofStrategy.length, hit: failovers.length, never: failovers.length - done.length, median: quantile(done, 0.5), p90: quantile(done, 0.9), failed, requests: failed + sum(series.map(({ ok }) => sum(ok))) };
    });
  });
}

function barred(text: string, value: number | null, most: number): HTMLElement {
  const width = value === null || most === 0 ? 0 : (value / most) * 100;
  return html("span", { class: "barred" }, text, svg("svg", { height: 6, "aria-hidden": "true" }, svg("rect", { width: `${width}%`, height: 6 })));
}
