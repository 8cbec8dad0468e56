// The super-cluster that is up: its servers, clusters, gateways, JetStream and streams. A frame of another page shows the same.

import { html } from "../../src/dom.ts";
import { count, milliseconds, plural } from "../../report/src/format.ts";
import { follow, type View, type Words } from "./follow.ts";
import type { Place } from "./main.ts";
import type { MetaRow, Overview, ReplicationRow } from "./model.ts";
import { card, entitle, LiveTable, number, Tile } from "./parts.ts";
import { Trend } from "./trend.ts";
import { bytes, duration } from "./words.ts";

/** A copy that has not heard from its origin for so long is cut off, most likely: sources send a sign of life each second. */
const SILENT_S = 10;

export async function drawLive(place: Place): Promise<void> {
  entitle("Live");
  await follow<Overview>(place, { path: "/api/live/nats", event: "nats", waiting: "Waiting for the servers …", view: ({ charts }) => new LiveView(charts) });
}

class LiveView implements View<Overview> {
  readonly elements: readonly HTMLElement[];
  readonly #tiles = { servers: new Tile("Servers"), clients: new Tile("Clients"), gateways: new Tile("Gateways"), meta: new Tile("JetStream meta leader"), streams: new Tile("Streams") };
  readonly #drawing = html("img", { id: "drawing", alt: "" }) as HTMLImageElement;
  readonly #trend: Trend;
  readonly #tables = {
    clusters: new LiveTable("Clusters", [{ name: "Cluster" }, number("Servers"), number("Gateways out"), number("Gateways in"), number("Clients")], "No cluster answered.", true),
    servers: new LiveTable("Servers", [{ name: "Server" }, { name: "Cluster" }, { name: "Version" }, number("Clients"), number("Peers"), number("Routes"), number("Gateways out"), number("Gateways in"), number("Leaf nodes"), number("CPU"), number("Memory"), number("Slow consumers"), number("Uptime"), number("Round trip")], "No server answered.", true),
    gateways: new LiveTable("Gateways", [{ name: "Between" }, { name: "State" }, number("Round trip")], "There are no gateways."),
    meta: new LiveTable("Meta groups", [{ name: "Domain" }, { name: "Leader" }, number("Servers"), { name: "State" }], "No server is in a meta group: JetStream is off, or there is one server."),
    streams: new LiveTable("Streams", [{ name: "Stream" }, { name: "Account" }, { name: "Domain" }, number("Messages"), number("Size"), number("Consumers"), { name: "Leader" }, { name: "Replicas" }], "No account has streams."),
    copies: new LiveTable("Mirrors and sources", [{ name: "Stream" }, { name: "Account" }, { name: "Kind" }, { name: "Origin" }, number("Lag"), number("Heard"), { name: "State" }], "No stream is a copy of another one."),
  };

  constructor(charts: Place["charts"]) {
    this.#trend = new Trend("Clients by cluster", charts);
    const { clusters, servers, gateways, meta, streams, copies } = this.#tables;
    this.elements = [
      html("dl", { class: "tiles" }, ...Object.values(this.#tiles).map(({ element }) => element)),
      html("div", { class: "pair" }, card("Regions and links", html("div", { class: "scroll drawn", tabindex: 0, role: "region", "aria-label": "Regions and links (drawing)" }, this.#drawing)), html("div", {}, card("Clients by cluster", this.#trend.element), card("Clusters", clusters.element, gateways.element))),
      card("Servers", servers.element),
      card("JetStream", meta.element, streams.element, copies.element),
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
    const leaders = seen.meta.map(({ leader }) => (leader === "" ? "No meta leader" : `Meta leader ${leader}`));
    return { summary: seen.summary, problems: missing, spoken: [seen.summary, ...missing, ...leaders].join(". ") };
  }

  #showTiles({ totals, silent, gateways, meta, accounts }: Overview): void {
    const { servers, clients, gateways: links, meta: leader, streams } = this.#tiles;
    servers.show(count(totals.servers), silent > 0 ? `${silent} more did not answer` : `in ${plural(totals.clusters, "cluster")}`, silent > 0);
    clients.show(count(totals.connections), totals.slow_consumers > 0 ? `${plural(totals.slow_consumers, "slow consumer")} closed` : "no slow consumer", false);
    const broken = gateways.filter(({ complete }) => !complete).length;
    links.show(count(gateways.length), broken > 0 ? `${broken} incomplete` : "all complete", broken > 0);
    const bad = meta.find(isTroubled);
    const shown = bad ?? meta[0];
    leader.show(shown ? shown.leader || "none" : "–", shown ? metaState(shown) : "JetStream has no meta group", bad !== undefined);
    const all = accounts.flatMap((account) => account.streams);
    const headless = all.filter(({ replicas }) => replicas.length > 0 && !replicas.some((replica) => replica.leader)).length;
    const copies = accounts.flatMap(({ replication }) => replication);
    const cut = copies.filter(isCut).length;
    const lag = Math.max(0, ...copies.map((copy) => copy.lag));
    const words = headless > 0 ? `${headless} without a leader` : cut > 0 ? `${count(cut)} cut off from their origin` : copies.length > 0 ? `largest lag ${count(lag)}` : "no copies";
    streams.show(count(all.length), words, headless > 0 || cut > 0);
  }

  #showTables({ clusters, servers, gateways, meta, accounts }: Overview): void {
    this.#tables.clusters.show(clusters.map((row) => [row.cluster, count(row.nodes), count(row.gateways_out), count(row.gateways_in), count(row.connections)]));
    this.#tables.gateways.show(gateways.map((row) => [`${row.a} – ${row.b}`, row.complete ? "✓ complete" : `!✗ from ${row.a} ${row.from_a}, from ${row.b} ${row.from_b}`, milliseconds(row.rtt_ms)]));
    this.#tables.servers.show(servers.map((row) => [row.name, row.cluster, row.version, count(row.connections), count(row.peers), count(row.routes), count(row.gateways_out), count(row.gateways_in), count(row.leaf_nodes), `${row.cpu_percent.toFixed(1)} %`, bytes(row.memory_bytes), row.slow_consumers > 0 ? `!${count(row.slow_consumers)}` : "0", row.uptime_s === null ? "–" : duration(row.uptime_s, 0), milliseconds(row.rtt_ms)]));
    this.#tables.meta.show(meta.map((row) => [row.domain || "none", row.leader || "!none", count(row.servers), `${isTroubled(row) ? "!" : ""}${metaState(row)}`]));
    this.#tables.streams.show(accounts.flatMap(({ account, streams }) => streams.map((row) => {
      const behind = row.replicas.filter(({ current }) => !current).map(({ server }) => server);
      const leader = row.replicas.find((replica) => replica.leader)?.server;
      const replicas = behind.length > 0 ? `!${plural(row.replicas.length, "replica")}, behind: ${behind.join(", ")}` : row.replicas.length > 0 ? `✓ ${plural(row.replicas.length, "replica")}` : "–";
      return [row.stream, account, row.domain || "none", count(row.messages), bytes(row.bytes), count(row.consumers), leader ?? (row.replicas.length > 0 ? "!none" : "–"), replicas];
    })));
    this.#tables.copies.show(accounts.flatMap(({ account, replication }) => replication.map((row) => [row.stream, account, row.kind, row.source, count(row.lag), row.active_s === null ? "never" : `${duration(row.active_s)} ago`, isCut(row) ? `!✗ ${row.error || "cut off"}` : "✓ copies"])));
  }
}

function isTroubled({ leader, servers, answered, disagree, behind }: MetaRow): boolean {
  return leader === "" || answered < servers || disagree.length > 0 || behind.length > 0;
}

function metaState({ leader, servers, answered, disagree, behind }: MetaRow): string {
  if (leader === "") return "no leader: streams cannot be created";
  if (disagree.length > 0) return `another leader: ${disagree.join(", ")}`;
  const late = behind.map(({ server, offline, lag, active_s }) => `${server} ${offline ? "is offline" : lag > 0 ? `lags by ${count(lag)}` : `silent for ${duration(active_s, 0)}`}`);
  if (late.length > 0) return late.join(", ");
  return answered < servers ? `only ${answered} of ${plural(servers, "server")} answered` : `${plural(servers, "server")} agree`;
}

function isCut({ active_s, error }: ReplicationRow): boolean {
  return error !== "" || active_s === null || active_s > SILENT_S;
}

/** Returns sentences about servers that gave no answer. */
function problems({ silent, failed }: Overview): string[] {
  const missing = silent > 0 ? [`${plural(silent, "server")} that the others know did not answer: ${silent === 1 ? "it is" : "they are"} slower than --timeout, or died some minutes ago at most.`] : [];
  return [...missing, ...failed];
}
