// One server: its figures, its links, and the streams of which it has a replica.

import { html } from "../../src/dom.ts";
import { count, milliseconds, plural } from "../../report/src/format.ts";
import { follow, type View, type Words } from "./follow.ts";
import type { Place } from "./main.ts";
import type { Overview, Session, UpState } from "./model.ts";
import { Desk, stateOf, targetsOf } from "./operate.ts";
import { card, entitle, LiveTable, number, Tile } from "./parts.ts";
import { problems } from "./problems.ts";
import { Trend } from "./trend.ts";
import { bytes, duration, percent } from "./words.ts";

export async function drawServer(place: Place, [name = ""]: readonly string[]): Promise<void> {
  entitle(name, "One server of the super-cluster.");
  const orders = html("div");
  place.view.append(orders);
  await showOrders(place, name, orders);
  await follow<Overview>(place, { path: "/api/live/nats", event: "nats", waiting: "Waiting for the servers …", view: ({ charts }) => new ServerView(name, charts) });
}

/** Shows operators the orders that the server takes, if `loadgen up` on this machine runs the server. */
async function showOrders(place: Place, name: string, at: HTMLElement): Promise<void> {
  const session = await place.api.get<Session>("/api/session", place.signal);
  if (session.role !== "operate") return;
  const desk = new Desk(place.api, session);
  const buttons = desk.ordersTo(name);
  const state = html("p");
  const box = card("Orders", state, html("p", { class: "orders" }, ...buttons.map(({ element }) => element)), desk.answer);
  const show = (seen: UpState): void => {
    const target = seen.regions.flatMap(targetsOf).find((one) => one.name === name);
    if (target) state.textContent = `${name} is ${stateOf(target)}.`;
    if (target) buttons.forEach(({ update }) => update(target));
    at.replaceChildren(...(target ? [at.firstChild ?? box] : []));
  };
  const nothing = (): void => at.replaceChildren();
  place.api.listen("/api/live/up", ["up", "trouble"], { event: (event, data) => (event === "up" ? show(data as UpState) : nothing()), lost: nothing }, place.signal);
}

class ServerView implements View<Overview> {
  readonly elements: readonly HTMLElement[];
  readonly #name: string;
  readonly #tiles = { clients: new Tile("Clients"), cpu: new Tile("CPU"), memory: new Tile("Memory"), trip: new Tile("Round trip") };
  readonly #clients: Trend;
  readonly #cpu: Trend;
  readonly #facts = new LiveTable("Facts", [{ name: "Fact" }, { name: "Value" }], "The server has not answered since this page was opened.", true);
  readonly #streams = new LiveTable("Streams", [{ name: "Stream" }, { name: "Account" }, { name: "Role" }, number("Messages"), number("Size")], "The server has no replica of a stream.", true);

  constructor(name: string, charts: Place["charts"]) {
    this.#name = name;
    this.#clients = new Trend("Clients of the server", charts);
    this.#cpu = new Trend("CPU in % of one core", charts, percent);
    this.elements = [
      html("dl", { class: "tiles" }, ...Object.values(this.#tiles).map(({ element }) => element)),
      html("div", { class: "pair" }, card("Clients", this.#clients.element), card("CPU", html("p", { class: "quiet" }, "In % of one core."), this.#cpu.element)),
      html("div", { class: "pair" }, card("Facts", this.#facts.element), card("Streams", this.#streams.element)),
    ];
  }

  show(seen: Overview): Words {
    const name = this.#name;
    const row = seen.servers.find((server) => server.name === name);
    const { clients, cpu, memory, trip } = this.#tiles;
    if (!row) {
      for (const tile of [clients, cpu, memory, trip]) tile.show("–", "no answer", true);
      const known = seen.servers.map((server) => server.name).join(", ");
      const silence = `\`${name}\` did not answer. ${known === "" ? "No server answered." : `These servers answered: ${known}.`}`;
      return { summary: `${name} did not answer`, problems: [silence], spoken: silence };
    }
    clients.show(count(row.connections), row.slow_consumers > 0 ? `${plural(row.slow_consumers, "slow consumer")} closed` : "no slow consumer", row.slow_consumers > 0);
    cpu.show(percent(row.cpu_percent), "of one core", false);
    memory.show(bytes(row.memory_bytes), "of the process", false);
    trip.show(milliseconds(row.rtt_ms), "to this dashboard", false);
    this.#clients.add(seen.at, new Map([[name, row.connections]]));
    this.#cpu.add(seen.at, new Map([[name, row.cpu_percent]]));
    const isLeader = seen.meta.some(({ leader }) => leader === name);
    const behind = seen.meta.flatMap((group) => group.behind).some(({ server }) => server === name);
    const role = isLeader ? "meta leader" : behind ? "!behind in its meta group" : "no meta leader";
    this.#facts.show([
      ["Cluster", row.cluster],
      ["Version", row.version],
      ["Id", row.id],
      ["Uptime", row.uptime_s === null ? "–" : duration(row.uptime_s, 0)],
      ["Subscriptions", count(row.subscriptions)],
      ["Peers in its cluster", count(row.peers)],
      ["Routes", count(row.routes)],
      ["Gateways out", count(row.gateways_out)],
      ["Gateways in", count(row.gateways_in)],
      ["Leaf nodes", row.leaf_nodes === null ? "–" : count(row.leaf_nodes)],
      ["JetStream", role],
    ]);
    this.#streams.show(seen.accounts.flatMap(({ account, streams }) => streams.flatMap(({ stream, replicas, messages, bytes: size }) => {
      const own = replicas.find(({ server }) => server === name);
      return own ? [[stream, account, own.leader ? "leader" : own.current ? "✓ replica" : "!replica, behind", count(messages), bytes(size)]] : [];
    })));
    const summary = `${name} in ${row.cluster} has ${plural(row.connections, "client")}`;
    const missing = problems(seen);
    return { summary, problems: missing, spoken: [`${name} answers`, ...missing, ...(isLeader ? ["It is the meta leader"] : [])].join(". ") };
  }
}
