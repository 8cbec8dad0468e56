// Draws the failover of each client as a bar: detection, selection, reconnect and resume, sorted by the sum.

import { html, svg } from "../../src/dom.ts";
import { count, milliseconds, plural, short } from "./format.ts";
import type { Failover, Fault, Run } from "./model.ts";
import { choice, details, nothing, section, table } from "./page.ts";
import { ascending, evenly, grouped, largest, quantile } from "./stats.ts";

const ROWS_MAX = 40;
/** Rows of a population in which no client failed over: all of them look the same. */
const ROWS_MAX_NEVER = 5;
const TABLE_ROWS_MAX = 400;
const ROW = 16;
const PARTS = [
  { name: "detection", of: "detection_ms" },
  { name: "selection", of: "selection_ms" },
  { name: "reconnect", of: "reconnect_ms" },
  { name: "resume", of: "resume_ms" },
] as const;

export function drawWaterfall(run: Run, parent: HTMLElement): void {
  const intro = "Each bar lasts from the fault to the first answered request. Detection: the client notices. Selection: it picks a server. Reconnect: the connection opens. Resume: the first answer arrives.";
  if (run.failovers.length === 0) return void section("failover", "Failover of each client", intro, parent, nothing("No fault of this run hit a client."));
  const charts = html("div", {});
  const faults = run.faults.filter(({ id }) => run.failovers.some(({ fault }) => fault === id));
  const show = (index: number): void => {
    const fault = faults[index];
    charts.replaceChildren(...(fault ? chartsOf(run, fault) : []));
  };
  show(0);
  const label = "Fault of the bars";
  const chosen = faults.length > 1 ? [choice("waterfall-fault", label, faults.map(({ id, text }) => `F${id} ${text}`), show)] : [html("p", {}, faults[0] ? `F${faults[0].id} ${faults[0].text}` : "")];
  section("failover", "Failover of each client", intro, parent, key(), ...chosen, charts, details("Table: failover of each client", () => failoverTable(run)));
}

function chartsOf(run: Run, fault: Fault): HTMLElement[] {
  const of = run.failovers.filter((failover) => failover.fault === fault.id);
  const populations = [...grouped(of, ({ population }) => population)];
  const columns = html("div", { class: "columns" }, ...populations.map(([population, members]) => chart(population, members)));
  return populations.length > 1 ? [columns, html("p", { class: "quiet" }, "Each population has its own scale.")] : [columns];
}

function chart(population: string, members: readonly Failover[]): HTMLElement {
  const sorted = [...members].sort((a, b) => (a.total_ms ?? Infinity) - (b.total_ms ?? Infinity));
  const done = ascending(sorted.map(({ total_ms }) => total_ms));
  const never = sorted.length - done.length;
  const times = `: median ${milliseconds(quantile(done, 0.5))}, slowest ${milliseconds(done.at(-1) ?? null)}`;
  const words = `${plural(sorted.length, "client")} hit${done.length > 0 ? times : ""}${never > 0 ? `; ${count(never)} did not fail over before the fault ended` : ""}`;
  const shown = evenly(sorted.length, done.length > 0 ? ROWS_MAX : ROWS_MAX_NEVER);
  const sampled = shown.length < sorted.length ? [html("p", { class: "quiet" }, `${count(shown.length)} of ${count(sorted.length)} clients are drawn, evenly sampled by rank.`)] : [];
  // Without a failover there is no scale, so the limit has no place.
  const scale = done.length > 0 ? niceMax(Math.max(largest(done), largest(sorted.map(({ limit_ms }) => limit_ms)))) : 0;
  const medianRank = Math.max(Math.ceil(done.length / 2), 1) - 1;
  const rows = shown.flatMap((index) => {
    const failover = sorted[index];
    return failover ? [bar(failover, scale, done.length > 0 && index === medianRank)] : [];
  });
  const bars = html("div", { class: "bars", role: "img", "aria-label": `${population}: ${words}. The table below has the figures.` }, ...rows, ...(done.length > 0 ? [axis(scale)] : []));
  return html("figure", {}, html("figcaption", {}, `${population}: ${words}`), bars, ...sampled);
}

/** Makes one row: the client's name, its bar, and its sum. */
function bar(failover: Failover, scale: number, isMedian: boolean): HTMLElement {
  const { total_ms: total, limit_ms: limit } = failover;
  const percent = (value: number): string => `${((value / scale) * 100).toFixed(3)}%`;
  const parts: SVGElement[] = [];
  let at = 0;
  if (total === null) parts.push(svg("rect", { class: "never", x: 0, y: 2, width: "100%", height: ROW - 4 }));
  else {
    for (const part of PARTS) {
      const width = failover[part.of] ?? 0;
      if (width > 0) parts.push(svg("rect", { class: part.name, x: percent(at), y: 2, width: percent(width), height: ROW - 4 }));
      at += width;
    }
    if (total - at > scale / 1000) parts.push(svg("rect", { class: "unsplit", x: percent(at), y: 2, width: percent(total - at), height: ROW - 4 }));
  }
  if (limit !== null && limit <= scale) parts.push(svg("rect", { class: "limit", x: percent(limit), y: 0, width: 2, height: ROW }));
  const drawing = svg("svg", { class: "bar", height: ROW, "aria-hidden": "true" }, ...parts);
  const name = `${failover.region} ${failover.client}`;
  return html("div", { class: isMedian ? "row median" : "row" }, html("span", { class: "name" }, name), drawing, html("span", { class: "sum" }, total === null ? "never" : milliseconds(total)));
}

function axis(scale: number): HTMLElement {
  const inSeconds = scale >= 5000;
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => html("span", {}, short(inSeconds ? (share * scale) / 1000 : share * scale)));
  return html("div", { class: "row axis" }, html("span", { class: "name" }, inSeconds ? "in s" : "in ms"), html("span", { class: "ticks" }, ...ticks), html("span", { class: "sum" }));
}

/** Returns the next number whose quarters are round. */
function niceMax(value: number): number {
  const decade = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return ([1, 2, 4, 6, 8, 10].find((factor) => factor * decade >= value) ?? 10) * decade;
}

function failoverTable(run: Run): HTMLElement {
  const sorted = [...run.failovers].sort((a, b) => a.fault - b.fault || (a.total_ms ?? Infinity) - (b.total_ms ?? Infinity));
  const shown = evenly(sorted.length, TABLE_ROWS_MAX).flatMap((index) => sorted[index] ?? []);
  const rows = shown.map((one) => [`${one.population} ${one.client} in ${one.region}`, `F${one.fault}`, `${one.from} → ${one.to ?? "nowhere"}`, one.total_ms === null ? "never" : milliseconds(one.total_ms), ...PARTS.map(({ of }) => milliseconds(one[of])), milliseconds(one.limit_ms)]);
  const number = (name: string): { name: string; isNumber: true } => ({ name, isNumber: true });
  const words = shown.length < sorted.length ? `${count(shown.length)} of ${count(sorted.length)} failovers are listed, evenly sampled by rank. report.json has all of them.` : `All ${plural(sorted.length, "failover")}.`;
  return html("div", {}, html("p", { class: "quiet" }, words), table("Failover of each client", [{ name: "Client" }, { name: "Fault" }, { name: "From, to" }, number("Failover"), ...PARTS.map(({ name }) => number(name)), number("Limit")], rows));
}

function key(): HTMLElement {
  const sample = (name: string): SVGElement => svg("svg", { class: "swatch", viewBox: "0 0 28 10", "aria-hidden": "true" }, svg("rect", { class: name, x: name === "limit" ? 13 : 0, y: 0, width: name === "limit" ? 2 : 28, height: 10 }));
  const words = { never: "did not fail over", limit: "limit: round trips that no client can save" };
  const names = [...PARTS.map(({ name }) => name), "never", "limit"] as const;
  return html("ul", { class: "key", "aria-label": "Parts of the bars" }, ...names.map((name) => html("li", {}, sample(name), name in words ? words[name as keyof typeof words] : name)), html("li", {}, html("span", { "aria-hidden": "true" }, "◂"), "median"));
}
