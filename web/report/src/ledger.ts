// Shows the ledger of messages, which accounts for each message that a client tried to publish.

import { count } from "./format.ts";
import type { LedgerRow, Run } from "./model.ts";
import { nothing, section, table, type Cell } from "./page.ts";
import { trouble } from "./traffic.ts";

/** Counts that are 0 when nothing went wrong. A threshold decides whether they are a failure: plain messages may be lost. */
const TROUBLE = [
  ["Lost: first", "lost_prefix"],
  ["Lost: between", "lost_middle"],
  ["Lost: last", "lost_suffix"],
  ["Duplicated", "duplicated"],
  ["Redelivered", "redelivered"],
  ["Reordered", "reordered"],
  ["Unexpected", "unexpected"],
  ["Unverified", "unverified"],
] as const satisfies readonly (readonly [string, keyof LedgerRow])[];

export function drawLedger(run: Run, parent: HTMLElement): void {
  const title = "Ledger of messages";
  if (run.ledger.length === 0) return void section("ledger", title, null, parent, nothing("This run kept no ledger."));
  const rows = run.ledger.map((row): Cell[] => [row.workload, row.population, row.stream, count(row.attempted), count(row.acknowledged), count(row.delivered), ...TROUBLE.map(([, key]) => trouble(row[key] ?? 0))]);
  const number = (name: string): { name: string; isNumber: true } => ({ name, isNumber: true });
  const columns = [{ name: "Workload" }, { name: "Population" }, { name: "Found in" }, number("Attempted"), number("Acknowledged"), number("Delivered"), ...TROUBLE.map(([name]) => number(name))];
  const words = "Lost messages stood first in a publisher's sequence, between two delivered messages, or last. Messages are unverified if the observer itself was down. A dash means that the workload has no such count.";
  section("ledger", title, words, parent, table("Ledger of messages", columns, rows));
}
