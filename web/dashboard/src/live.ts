// The super-cluster that is up: its servers, clusters, gateways, JetStream and streams. A frame of another page shows the same.

import { html } from "../../src/dom.ts";
import { count, milliseconds, plural } from "../../report/src/format.ts";
import { follow, type View, type Words } from "./follow.ts";
import type { Place } from "./main.ts";
import { JetStreamTables, leaderOf, showMeta, showStreams } from "./jetstream.ts";
import type { Overview } from "./model.ts";
import { gatewayCells, gatewaysTable, showGateways } from "./network.ts";
import { card, entitle, LiveTable, number, serverLink, Tile } from "./parts.ts";
import { problems } from "./problems.ts";
import { Trend } from "./trend.ts";
import { bytes, duration, percent } from "./words.ts";

export async function drawLive(place: Place): Promise<void> {
  entitle("Live");
  await follow<Overview>(place, { path: "/api/live/nats", event: "nats", waiting: "Waiting for the servers …", view: ({ charts }) => new LiveView(charts) });
}

class LiveView implements View<Overview> {
  readonly elements: readonly HTMLElement[];
  readonly #tiles = { servers: new Tile("Servers"), clients: new Tile("Clients"), gateways: new Tile("Gateways"), meta: new Tile("JetStream meta leader"), streams: new Tile("Streams") };
  readonly #drawing = html("img", { id: "drawing", alt: "" }) as HTMLImageElement;
  readonly #trend: Trend;
  readonly #jetstream = new JetStreamTables();
  readonly #tables = {
    clusters: new LiveTable("Clusters", [{ name: "Cluster" }, number("Servers"), number("Gateways out"), number("Gateways in"), number("Clients")], "No cluster answered.", true),
    servers: new LiveTable("Servers", [{ name: "Server" }, { name: "Cluster" }, { name: "Version" }, number("Clients"), number("Peers"), number("Routes"), number("Gateways out"), number("Gateways in"), number("Leaf nodes"), number("CPU"), number("Memory"), number("Slow consumers"), number("Uptime"), number("Round trip")], "No server answered.", true, serverLink()),
    gateways: gatewaysTable(),
  };

  constructor(charts: Place["charts"]) {
    this.#trend = new Trend("Clients by cluster", charts);
    const { clusters, servers, gateways } = this.#tables;
    this.elements = [
      html("dl", { class: "tiles" }, ...Object.values(this.#tiles).map(({ element }) => element)),
      html("div", { class: "pair" }, card("Regions and links", html("div", { class: "scroll drawn", tabindex: 0, role: "region", "aria-label": "Regions and links (drawing)" }, this.#drawing)), html("div", {}, card("Clients by cluster", this.#trend.element), card("Clusters", clusters.element, gateways.element))),
      card("Servers", servers.element),
      card("JetStream", ...this.#jetstream.elements),
    ];
  }

  show(seen: Overview): Words {
    this.#showTiles(seen);
    const source = `data:image/svg+xml,${encodeURIComponent(seen.drawing)}`;
    if (this.#drawing.src !== source) this.#drawing.src = source;
    this.#drawing.alt = seen.summary;
    this.#trend.add(seen.at, new Map(seen.clusters.map(({ cluster, connections }) => [cluster, connections])));
    this.#showTables(seen);
    // Counts of clients change all the time: only the state of servers and leaders is read aloud.
    const missing = problems(seen);
    const leaders = seen.meta.map(leaderOf);
    return { summary: seen.summary, problems: missing, spoken: [seen.summary, ...missing, ...leaders].join(". ") };
  }

  #showTiles({ totals, silent, gateways, meta, accounts }: Overview): void {
    const { servers, clients, gateways: links, meta: leader, streams } = this.#tiles;
    servers.show(count(totals.servers), silent > 0 ? `${silent} more did not answer` : `in ${plural(totals.clusters, "cluster")}`, silent > 0);
    clients.show(count(totals.connections), totals.slow_consumers > 0 ? `${plural(totals.slow_consumers, "slow consumer")} closed` : "no slow consumer", false);
    showGateways(links, gateways);
    showMeta(leader, meta);
    showStreams(streams, accounts);
  }

  #showTables(seen: Overview): void {
    const { clusters, servers, gateways } = seen;
    this.#tables.clusters.show(clusters.map((row) => [row.cluster, count(row.nodes), count(row.gateways_out), count(row.gateways_in), count(row.connections)]));
    this.#tables.gateways.show(gateways.map(gatewayCells));
    this.#tables.servers.show(servers.map((row) => [row.name, row.cluster, row.version, count(row.connections), count(row.peers), count(row.routes), count(row.gateways_out), count(row.gateways_in), count(row.leaf_nodes), percent(row.cpu_percent), bytes(row.memory_bytes), row.slow_consumers > 0 ? `!${count(row.slow_consumers)}` : "0", row.uptime_s === null ? "–" : duration(row.uptime_s, 0), milliseconds(row.rtt_ms)]));
    this.#jetstream.show(seen);
  }
}
