// The agents of a back channel, and the clients that they play. A frame of another page shows the same.

import { html } from "../../src/dom.ts";
import { count, milliseconds, plural } from "../../report/src/format.ts";
import { follow, type View, type Words } from "./follow.ts";
import type { Place } from "./main.ts";
import type { AgentRow, Crew, PlayStatus } from "./model.ts";
import { card, entitle, LiveTable, marked, number, Tile } from "./parts.ts";
import { describeIdle, describePopulations, describeRun, describeSilent, describeState, isSilent, Rates, sum } from "./play.ts";
import { Trend } from "./trend.ts";
import { duration } from "./words.ts";

const NONE = "–";

export async function drawAgents(place: Place): Promise<void> {
  entitle("Agents", "Processes that play the clients of `loadgen run --agents`.");
  await follow<Crew>(place, { path: "/api/live/agents", event: "agents", waiting: "Waiting for the agents …", view: ({ charts }) => new AgentsView(charts) });
}

class AgentsView implements View<Crew> {
  readonly elements: readonly HTMLElement[];
  readonly #rates = new Rates();
  readonly #tiles = { agents: new Tile("Agents"), clients: new Tile("Clients connected"), offline: new Tile("Offline"), failed: new Tile("Failed operations") };
  readonly #trend: Trend;
  readonly #agents = new LiveTable("Agents", [{ name: "Name" }, { name: "Region" }, { name: "Host" }, number("Process"), number("Cores"), { name: "loadgen" }, { name: "Last sign of life" }], "No agents: start one with `loadgen agent --region REGION --ops URL`.", true);
  readonly #idle = html("p", { class: "quiet" });
  readonly #moves = new Moves();
  #regions = regionsTable([]);
  #populations = "";

  constructor(charts: Place["charts"]) {
    this.#trend = new Trend("Operations per second by region", charts);
    this.elements = [
      html("dl", { class: "tiles" }, ...Object.values(this.#tiles).map(({ element }) => element)),
      html("div", { class: "pair" }, card("Operations per second", html("p", { class: "quiet" }, "Operations that succeeded, by the region in which their clients live."), this.#trend.element), html("div", {}, card("Regions", html("p", { class: "quiet" }, "Connected clients count for the region of their server. Offline clients and operations count for the region in which the clients live."), this.#regions.element), card("Last moves", this.#moves.element))),
      card("Agents", this.#agents.element, this.#idle),
    ];
  }

  show(seen: Crew): Words {
    const { run, agents, status } = seen;
    const rates = this.#rates.add(seen);
    const nobody = run === null ? "no run goes on" : "no agent plays yet";
    this.#showTiles(agents, status, nobody);
    this.#trend.add(seen.at, rates);
    this.#showRegions(status, rates);
    this.#moves.show(status?.moves ?? [], status === null ? "No clients play." : "No client has moved yet.");
    this.#agents.show(agents.map((agent) => [agent.name, agent.region, agent.host, String(agent.pid), count(agent.cores), agent.version, lastSign(agent)]));
    this.#idle.replaceChildren(...marked(describeIdle(seen)));
    const problems = describeSilent(agents);
    return { summary: describeRun(seen), problems, spoken: [describeState(seen), ...problems].join(". ") };
  }

  #showTiles(agents: readonly AgentRow[], status: PlayStatus | null, nobody: string): void {
    const silent = agents.filter(isSilent).length;
    const regions = new Set(agents.map(({ region }) => region)).size;
    this.#tiles.agents.show(count(agents.length), silent > 0 ? `${count(silent)} silent` : agents.length > 0 ? `in ${plural(regions, "region")}` : "none is connected", silent > 0);
    const { clients, offline, failed } = this.#tiles;
    if (status === null) {
      for (const tile of [clients, offline, failed]) tile.show(NONE, nobody, false);
      return;
    }
    clients.show(count(sum(status.regions.flatMap(({ connected }) => connected))), describePopulations(status) || "no clients", false);
    const away = status.regions.filter((region) => region.offline > 0);
    offline.show(count(sum(away.map((region) => region.offline))), away.length > 0 ? `of ${away.map(({ name }) => name).join(", ")}` : "no client", away.length > 0);
    const [succeeded, lost] = [sum(status.regions.map(({ ok }) => ok)), sum(status.regions.map((region) => region.failed))];
    failed.show(count(lost), `of ${count(succeeded + lost)} since the start`, lost > 0);
  }

  #showRegions(status: PlayStatus | null, rates: ReadonlyMap<string, number>): void {
    const populations = JSON.stringify(status?.populations ?? []);
    // Each scenario has its own columns.
    if (status !== null && populations !== this.#populations) {
      const made = regionsTable(status.populations);
      this.#regions.element.replaceWith(made.element);
      this.#regions = made;
      this.#populations = populations;
    }
    this.#regions.show((status?.regions ?? []).map((region) => [
      region.name,
      ...(status?.populations ?? []).map((_, index) => count(region.connected[index] ?? 0)),
      alarm(region.offline),
      count(rates.get(region.name) ?? null),
      alarm(region.failed),
      milliseconds(region.rtt_ms),
    ]));
  }
}

/** The last moves of clients from server to server. */
class Moves {
  readonly element: HTMLElement;
  readonly #list = html("ul", { id: "moves", "aria-label": "Last moves, the newest first", hidden: true });
  readonly #empty = html("p", { class: "quiet" });

  constructor() {
    this.element = html("div", {}, this.#list, this.#empty);
  }

  show(moves: PlayStatus["moves"], empty: string): void {
    const texts = moves.map(({ at_s, text }) => `${duration(at_s)}: ${text}`).reverse();
    this.#list.hidden = texts.length === 0;
    this.#empty.hidden = texts.length > 0;
    if (this.#empty.textContent !== empty) this.#empty.textContent = empty;
    const shown = [...this.#list.children].map(({ textContent }) => textContent);
    if (JSON.stringify(shown) !== JSON.stringify(texts)) this.#list.replaceChildren(...texts.map((text) => html("li", {}, text)));
  }
}

function regionsTable(populations: readonly string[]): LiveTable {
  const columns = [{ name: "Region" }, ...populations.map((name) => number(`${name} connected`)), number("Offline"), number("Operations/s"), number("Failed"), number("Round trip")];
  return new LiveTable("Regions", columns, "No clients play: `loadgen run FILE --agents --ops URL` starts a run.", true);
}

function lastSign(agent: AgentRow): string {
  if (agent.heard_s === null) return "none yet";
  return `${isSilent(agent) ? "!✗ " : ""}${duration(agent.heard_s)} ago`;
}

/** Writes a number that should be 0. */
function alarm(value: number): string {
  return value > 0 ? `!${count(value)}` : count(value);
}
