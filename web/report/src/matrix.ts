// Shows response times from each region to each other one, in one phase of the run.

import { html } from "../../src/dom.ts";
import { count, milliseconds } from "./format.ts";
import type { MatrixCell, Report, Run } from "./model.ts";
import { choice, nothing, section, table } from "./page.ts";
import { ascending } from "./stats.ts";

const SHADES = 5;

export function drawMatrix(report: Report, run: Run, parent: HTMLElement): void {
  const title = "Regions to regions";
  const phases = [...new Set(run.matrix.map(({ phase }) => phase))];
  if (phases.length === 0) return void section("matrix", title, null, parent, nothing("This run measured no response times between regions."));
  const holder = html("div", {});
  const show = (index: number): void => holder.replaceChildren(matrix(report, run.matrix.filter(({ phase }) => phase === phases[index])));
  const first = Math.max(0, phases.indexOf(phaseOfFault(run)));
  show(first);
  const chosen = phases.length > 1 ? [choice("matrix-phase", "Phase", phases, show, first)] : [html("p", {}, `Phase: ${phases[0] ?? ""}`)];
  section("matrix", title, "Rows are the regions of clients, columns the regions that answered. Each cell has the median, then p99, requests, and the emulated round trip. The stronger the colour, the slower the answer.", parent, ...chosen, holder);
}

/** Returns the phase in which the first fault begins, because distances matter most there. */
function phaseOfFault({ faults, phases }: Run): string {
  const start = faults[0]?.from_s ?? 0;
  return phases.find(({ from_s, to_s }) => start >= from_s && start < to_s)?.name ?? "";
}

function matrix(report: Report, cells: readonly MatrixCell[]): HTMLElement {
  const regions = (of: "from" | "to"): string[] => [...new Set([...report.regions, ...cells.map((cell) => cell[of])])].filter((region) => cells.some((cell) => cell[of] === region));
  const columns = regions("to");
  const sorted = ascending(cells.map(({ p50_ms }) => p50_ms));
  const rows = regions("from").map((from) => [
    from,
    ...columns.map((to) => {
      const cell = cells.find((one) => one.from === from && one.to === to);
      return cell ? content(report, cell, sorted) : html("span", { class: "quiet" }, "no requests");
    }),
  ]);
  const made = table("Response times between regions", [{ name: "From, to" }, ...columns.map((name) => ({ name: `→ ${name}` }))], rows);
  made.classList.add("matrix");
  return made;
}

function content(report: Report, { from, to, n, p50_ms, p99_ms }: MatrixCell, sorted: readonly number[]): HTMLElement {
  const [low, high] = [Math.log(Math.max(sorted[0] ?? 1, 0.01)), Math.log(Math.max(sorted.at(-1) ?? 1, 0.01))];
  const share = p50_ms === null || high <= low ? 0 : (Math.log(Math.max(p50_ms, 0.01)) - low) / (high - low);
  const rtt = report.rtt_ms.find(({ a, b }) => (a === from && b === to) || (a === to && b === from));
  const small = [`p99 ${milliseconds(p99_ms)}`, `n ${count(n)}`, ...(rtt ? [`RTT ${milliseconds(rtt.ms)}`] : [])];
  return html("div", { class: `cell shade-${Math.round(share * (SHADES - 1))}` }, html("strong", {}, milliseconds(p50_ms)), html("small", {}, ...small.map((text) => html("span", {}, text))));
}
