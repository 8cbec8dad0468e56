// JetStream: its meta groups, streams and copies. A frame of another page shows the same.

import { html } from "../../src/dom.ts";
import { count, plural } from "../../report/src/format.ts";
import { follow, type View, type Words } from "./follow.ts";
import type { Place } from "./main.ts";
import type { AccountStreams, MetaRow, Overview, ReplicationRow } from "./model.ts";
import { card, entitle, LiveTable, number, Tile } from "./parts.ts";
import { problems } from "./problems.ts";
import { Trend } from "./trend.ts";
import { bytes, duration } from "./words.ts";

/** A copy that has not heard from its origin for so long is cut off, most likely: sources send a sign of life each second. */
const SILENT_S = 10;

export async function drawJetStream(place: Place): Promise<void> {
  entitle("JetStream", "The meta groups, the streams of all accounts, and the lag of mirrors and sources.");
  await follow<Overview>(place, { path: "/api/live/nats", event: "nats", waiting: "Waiting for the servers …", view: ({ charts }) => new JetStreamView(charts) });
}

class JetStreamView implements View<Overview> {
  readonly elements: readonly HTMLElement[];
  readonly #tiles = { meta: new Tile("JetStream meta leader"), streams: new Tile("Streams") };
  readonly #lag: Trend;
  readonly #messages: Trend;
  readonly #tables = new JetStreamTables();

  constructor(charts: Place["charts"]) {
    this.#lag = new Trend("Lag of mirrors and sources, in messages", charts);
    this.#messages = new Trend("Messages by account", charts);
    this.elements = [
      html("dl", { class: "tiles" }, ...Object.values(this.#tiles).map(({ element }) => element)),
      html("div", { class: "pair" }, card("Lag of mirrors and sources", html("p", { class: "quiet" }, "Messages that a copy has still to receive, by account: the largest of its streams."), this.#lag.element), card("Messages", html("p", { class: "quiet" }, "Messages in all streams of an account."), this.#messages.element)),
      card("Meta groups, streams and copies", ...this.#tables.elements),
    ];
  }

  show(seen: Overview): Words {
    showMeta(this.#tiles.meta, seen.meta);
    showStreams(this.#tiles.streams, seen.accounts);
    this.#lag.add(seen.at, new Map(seen.accounts.map(({ account, replication }) => [account, Math.max(0, ...replication.map(({ lag }) => lag))])));
    this.#messages.add(seen.at, new Map(seen.accounts.map(({ account, streams }) => [account, streams.reduce((sum, { messages }) => sum + messages, 0)])));
    this.#tables.show(seen);
    const missing = problems(seen);
    const summary = `${plural(seen.meta.length, "meta group")}, ${plural(seen.accounts.reduce((sum, { streams }) => sum + streams.length, 0), "stream")}`;
    return { summary, problems: missing, spoken: [summary, ...missing, ...seen.meta.map(leaderOf)].join(". ") };
  }
}

/** Tables of meta groups, streams and copies. */
export class JetStreamTables {
  readonly elements: readonly HTMLElement[];
  readonly #meta = new LiveTable("Meta groups", [{ name: "Domain" }, { name: "Leader" }, number("Servers"), { name: "State" }], "No server is in a meta group: JetStream is off, or there is one server.");
  readonly #streams = new LiveTable("Streams", [{ name: "Stream" }, { name: "Account" }, { name: "Domain" }, number("Messages"), number("Size"), number("Consumers"), { name: "Leader" }, { name: "Replicas" }], "No account has streams.");
  readonly #copies = new LiveTable("Mirrors and sources", [{ name: "Stream" }, { name: "Account" }, { name: "Kind" }, { name: "Origin" }, number("Lag"), number("Heard"), { name: "State" }], "No stream is a copy of another one.");

  constructor() {
    this.elements = [this.#meta.element, this.#streams.element, this.#copies.element];
  }

  show({ meta, accounts }: Overview): void {
    this.#meta.show(meta.map((row) => [row.domain || "none", row.leader || "!none", count(row.servers), `${isTroubled(row) ? "!" : ""}${metaState(row)}`]));
    this.#streams.show(accounts.flatMap(({ account, streams }) => streams.map((row) => {
      const behind = row.replicas.filter(({ current }) => !current).map(({ server }) => server);
      const leader = row.replicas.find((replica) => replica.leader)?.server;
      const replicas = behind.length > 0 ? `!${plural(row.replicas.length, "replica")}, behind: ${behind.join(", ")}` : row.replicas.length > 0 ? `✓ ${plural(row.replicas.length, "replica")}` : "–";
      return [row.stream, account, row.domain || "none", count(row.messages), bytes(row.bytes), count(row.consumers), leader ?? (row.replicas.length > 0 ? "!none" : "–"), replicas];
    })));
    this.#copies.show(accounts.flatMap(({ account, replication }) => replication.map((row) => [row.stream, account, row.kind, row.source, count(row.lag), row.active_s === null ? "never" : `${duration(row.active_s)} ago`, isCut(row) ? `!✗ ${row.error || "cut off"}` : "✓ copies"])));
  }
}

export function showMeta(tile: Tile, meta: readonly MetaRow[]): void {
  const bad = meta.find(isTroubled);
  const shown = bad ?? meta[0];
  tile.show(shown ? shown.leader || "none" : "–", shown ? metaState(shown) : "JetStream has no meta group", bad !== undefined);
}

export function showStreams(tile: Tile, accounts: readonly AccountStreams[]): void {
  const all = accounts.flatMap((account) => account.streams);
  const headless = all.filter(({ replicas }) => replicas.length > 0 && !replicas.some((replica) => replica.leader)).length;
  const copies = accounts.flatMap(({ replication }) => replication);
  const cut = copies.filter(isCut).length;
  const lag = Math.max(0, ...copies.map((copy) => copy.lag));
  const words = headless > 0 ? `${headless} without a leader` : cut > 0 ? `${count(cut)} cut off from their origin` : copies.length > 0 ? `largest lag ${count(lag)}` : "no copies";
  tile.show(count(all.length), words, headless > 0 || cut > 0);
}

/** Names the leader of a meta group, to be read aloud. */
export function leaderOf({ leader }: MetaRow): string {
  return leader === "" ? "No meta leader" : `Meta leader ${leader}`;
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
