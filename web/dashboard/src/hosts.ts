// The processes of the servers: CPU, memory and connections. A frame of another page shows the same.

import { html } from "../../src/dom.ts";
import { count, milliseconds, plural } from "../../report/src/format.ts";
import { follow, type View, type Words } from "./follow.ts";
import type { Place } from "./main.ts";
import type { Overview, ServerRow } from "./model.ts";
import { card, entitle, LiveTable, number, serverLink, Tile } from "./parts.ts";
import { problems } from "./problems.ts";
import { Trend } from "./trend.ts";
import { bytes, duration, percent } from "./words.ts";

/** More lines than a reader can tell apart: a chart shows the clusters then. */
const LINES_MAX = 12;
const MIB = 1024 * 1024;

export async function drawHosts(place: Place): Promise<void> {
  entitle("Hosts", "CPU, memory and connections of the server processes.");
  await follow<Overview>(place, { path: "/api/live/nats", event: "nats", waiting: "Waiting for the servers …", view: ({ charts }) => new HostsView(charts) });
}

class HostsView implements View<Overview> {
  readonly elements: readonly HTMLElement[];
  readonly #tiles = { servers: new Tile("Servers"), cpu: new Tile("Busiest server"), memory: new Tile("Memory"), slow: new Tile("Slow consumers") };
  readonly #cpu: Trend;
  readonly #memory: Trend;
  readonly #table = new LiveTable("Servers", [{ name: "Server" }, { name: "Cluster" }, number("CPU"), number("Memory"), number("Clients"), number("Subscriptions"), number("Slow consumers"), number("Uptime"), number("Round trip"), { name: "Version" }], "No server answered.", true, serverLink());

  constructor(charts: Place["charts"]) {
    this.#cpu = new Trend("CPU in % of one core", charts, percent);
    this.#memory = new Trend("Memory in MiB", charts);
    this.elements = [
      html("dl", { class: "tiles" }, ...Object.values(this.#tiles).map(({ element }) => element)),
      html("div", { class: "pair" }, card("CPU", html("p", { class: "quiet" }, "In % of one core."), this.#cpu.element), card("Memory", html("p", { class: "quiet" }, "In MiB."), this.#memory.element)),
      card("Servers", this.#table.element),
    ];
  }

  show(seen: Overview): Words {
    const { servers, totals, silent } = seen;
    const busiest = servers.reduce<ServerRow | undefined>((most, row) => (most && most.cpu_percent >= row.cpu_percent ? most : row), undefined);
    this.#tiles.servers.show(count(totals.servers), silent > 0 ? `${silent} more did not answer` : `in ${plural(totals.clusters, "cluster")}`, silent > 0);
    this.#tiles.cpu.show(percent(busiest?.cpu_percent ?? null), busiest?.name ?? "no server answered", false);
    this.#tiles.memory.show(bytes(totals.memory_bytes), "all servers together", false);
    this.#tiles.slow.show(count(totals.slow_consumers), "closed since the start of the servers", totals.slow_consumers > 0);
    this.#cpu.add(seen.at, lines(servers, ({ cpu_percent }) => cpu_percent));
    this.#memory.add(seen.at, lines(servers, ({ memory_bytes }) => memory_bytes / MIB));
    this.#table.show(servers.map((row) => [row.name, row.cluster, percent(row.cpu_percent), bytes(row.memory_bytes), count(row.connections), count(row.subscriptions), row.slow_consumers > 0 ? `!${count(row.slow_consumers)}` : "0", row.uptime_s === null ? "–" : duration(row.uptime_s, 0), milliseconds(row.rtt_ms), row.version]));
    const missing = problems(seen);
    return { summary: seen.summary, problems: missing, spoken: [seen.summary, ...missing].join(". ") };
  }
}

/** A value of each server, or sums by cluster if there are many servers. */
function lines(servers: readonly ServerRow[], value: (row: ServerRow) => number): Map<string, number> {
  const key = servers.length > LINES_MAX ? (row: ServerRow) => row.cluster : (row: ServerRow) => row.name;
  const sums = new Map<string, number>();
  for (const row of servers) sums.set(key(row), (sums.get(key(row)) ?? 0) + value(row));
  return sums;
}
