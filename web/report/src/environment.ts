// Shows the environment of the run, the limits of its figures, and the limits of the emulated WAN.

import { html } from "../../src/dom.ts";
import { milliseconds, plural, seconds } from "./format.ts";
import type { Report } from "./model.ts";
import { details, section, table } from "./page.ts";
import { list } from "./summary.ts";

export function drawEnvironment(report: Report, parent: HTMLElement): void {
  const { environment, notes } = report;
  const noted = notes.length > 0 ? [html("h3", {}, "Notes"), list("notes", notes)] : [];
  const limits = environment.wan_limits.length > 0 ? [html("h3", {}, "Limits of the WAN emulation"), list("limits", environment.wan_limits)] : [];
  const agents = environment.agents ?? [];
  const played = agents.length === 0 ? [] : [html("h3", {}, "Agents"), list("agents", agents)];
  const servers = report.servers.length === 0 ? "" : details("Table: servers", () => table("Servers", [{ name: "Server" }, { name: "Region" }], report.servers.map(({ name, region }) => [name, region])));
  const distances = report.rtt_ms.length === 0 ? "" : details("Table: emulated round trips", () => table("Emulated round trips", [{ name: "Between" }, { name: "Round trip", isNumber: true }], report.rtt_ms.map(({ a, b, ms }) => [`${a} – ${b}`, milliseconds(ms)])));
  section("environment", "Environment and notes", null, parent, facts(report), servers, distances, ...played, ...noted, ...limits);
}

function facts(report: Report): HTMLElement {
  const { environment, runs } = report;
  const lags = runs.map(({ schedule_lag_p99_ms }) => schedule_lag_p99_ms);
  const known = lags.filter((lag) => lag !== null);
  const rows: readonly (readonly [string, string])[] = [
    ["Scenario", report.scenario],
    ["Started", started(report.started_at)],
    ["Took", seconds(Number(report.wall_s.toFixed(1)))],
    ["Seed", String(report.seed)],
    ["loadgen", environment.loadgen],
    ["nats-server", environment.nats_servers.map(({ version, servers }) => `${version} (${plural(servers, "server")})`).join(", ")],
    ["Machine", `${environment.os}, ${plural(environment.cores, "core")}`],
    ["WAN", environment.wan],
    // A late generator spoils a measurement: its delay stands beside the figures.
    ["Requests sent late, p99", known.length === 0 ? "not measured" : `${milliseconds(Math.max(...known))} in the worst run`],
  ];
  return html("dl", {}, ...rows.flatMap(([name, value]) => [html("dt", {}, name), html("dd", {}, value === "" ? "–" : value)]));
}

/** Returns the start in UTC, so that it is the same for all readers. Returns text that is no date as it is. */
function started(text: string): string {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? text : `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}
