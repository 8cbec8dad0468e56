// Shows deliveries of messages, and puts and gets: a table for each that the run has.

import { html } from "../../src/dom.ts";
import { count, milliseconds } from "./format.ts";
import type { Run } from "./model.ts";
import { section, table, type Cell, type Column } from "./page.ts";

export function drawTraffic(run: Run, parent: HTMLElement): void {
  const numbers = (...names: string[]): Column[] => names.map((name) => ({ name, isNumber: true }));
  const names = (...all: string[]): Column[] => all.map((name) => ({ name }));
  const draw = (id: string, title: string, words: string, columns: readonly Column[], rows: readonly (readonly Cell[])[]): void => {
    if (rows.length > 0) section(id, title, words, parent, table(title, columns, rows));
  };
  draw(
    "deliveries",
    "Deliveries of messages",
    "From the time when a message was due to its first delivery.",
    [...names("Workload", "Population", "Receiver in"), ...numbers("Delivered", "Median", "p99", "Longest")],
    (run.deliveries ?? []).map((row) => [row.workload, row.population, row.region, count(row.n), milliseconds(row.p50_ms), milliseconds(row.p99_ms), milliseconds(row.max_ms)]),
  );
  draw(
    "stores",
    "Puts and gets",
    "A get is stale if it returned less than an acknowledged put of the same client before it. It is corrupt if it returned other bytes than were put.",
    [...names("Workload", "Population", "Clients in"), ...numbers("Puts", "Gets", "Failed", "Stale", "Corrupt", "Put, median", "Put, p99", "Get, median", "Get, p99")],
    (run.stores ?? []).map((row) => [
      row.workload,
      row.population,
      row.region,
      count(row.puts),
      count(row.gets),
      ...[row.failed, row.stale, row.corrupt].map(trouble),
      ...[row.put_p50_ms, row.put_p99_ms, row.get_p50_ms, row.get_p99_ms].map(milliseconds),
    ]),
  );
}

/** Marks a count that is 0 when nothing went wrong. */
export function trouble(value: number): Cell {
  return value === 0 ? "0" : html("strong", { class: "unknown" }, `! ${count(value)}`);
}
