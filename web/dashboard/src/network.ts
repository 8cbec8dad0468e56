// The network between regions: distances that the servers measure, gateways and leaf nodes. A frame of another page shows the same.

import { html } from "../../src/dom.ts";
import { count, milliseconds, plural } from "../../report/src/format.ts";
import { follow, type View, type Words } from "./follow.ts";
import type { Place } from "./main.ts";
import type { GatewayRow, Overview } from "./model.ts";
import { card, entitle, LiveTable, number, Tile } from "./parts.ts";
import { problems } from "./problems.ts";
import { Trend } from "./trend.ts";

export async function drawNetwork(place: Place): Promise<void> {
  entitle("Network", "Distances between regions, as the gateways measure them, and the links between servers.");
  await follow<Overview>(place, { path: "/api/live/nats", event: "nats", waiting: "Waiting for the servers …", view: ({ charts }) => new NetworkView(charts) });
}

class NetworkView implements View<Overview> {
  readonly elements: readonly HTMLElement[];
  readonly #tiles = { farthest: new Tile("Longest round trip"), gateways: new Tile("Gateways"), leaves: new Tile("Leaf nodes") };
  readonly #trend: Trend;
  readonly #matrix = html("div");
  readonly #gateways = gatewaysTable();
  readonly #leaves = new LiveTable("Leaf nodes", [{ name: "Leaf cluster" }, { name: "Hub" }, { name: "Accounts" }, number("Round trip")], "There are no leaf nodes.");
  #regions = "";
  #distances = new LiveTable("Distances", [{ name: "From" }], "");

  constructor(charts: Place["charts"]) {
    this.#trend = new Trend("Round trip by pair of regions, in ms", charts, milliseconds);
    this.elements = [
      html("dl", { class: "tiles" }, ...Object.values(this.#tiles).map(({ element }) => element)),
      html("div", { class: "pair" }, card("Round trips", this.#trend.element), card("Distances", html("p", { class: "quiet" }, "Round trip between two regions. A value in brackets is the distance that loadgen emulates."), this.#matrix)),
      card("Links", this.#gateways.element, this.#leaves.element),
    ];
  }

  show(seen: Overview): Words {
    const { gateways, leafs } = seen;
    const measured = gateways.flatMap(({ a, b, rtt_ms }) => (rtt_ms === null ? [] : [{ pair: `${a} – ${b}`, rtt_ms }]));
    const farthest = measured.reduce<(typeof measured)[number] | undefined>((most, one) => (most && most.rtt_ms >= one.rtt_ms ? most : one), undefined);
    this.#tiles.farthest.show(milliseconds(farthest?.rtt_ms ?? null), farthest?.pair ?? "no gateway measured one", false);
    showGateways(this.#tiles.gateways, gateways);
    this.#tiles.leaves.show(count(leafs.length), leafs.length === 0 ? "none is connected" : `of ${plural(new Set(leafs.map(({ leaf }) => leaf)).size, "leaf cluster")}`, false);
    this.#trend.add(seen.at, new Map(measured.map(({ pair, rtt_ms }) => [pair, rtt_ms])));
    this.#showDistances(seen);
    this.#gateways.show(gateways.map(gatewayCells));
    this.#leaves.show(leafs.map(({ leaf, hub, accounts, rtt_ms }) => [leaf, hub, accounts.join(", "), milliseconds(rtt_ms)]));
    const broken = gateways.filter(({ complete }) => !complete).map(({ a, b }) => `The gateway ${a} – ${b} is incomplete`);
    const missing = problems(seen);
    return { summary: seen.summary, problems: missing, spoken: [seen.summary, ...missing, ...broken].join(". ") };
  }

  #showDistances({ clusters, gateways, emulated }: Overview): void {
    const names = clusters.map(({ cluster }) => cluster);
    if (names.join("\n") !== this.#regions || !this.#distances.element.isConnected) {
      this.#regions = names.join("\n");
      this.#distances = new LiveTable("Distances", [{ name: "From" }, ...names.map(number)], "No cluster answered.", true);
      this.#matrix.replaceChildren(this.#distances.element);
    }
    const between = (a: string, b: string): string => {
      if (a === b) return "–";
      const link = gateways.find((row) => (row.a === a && row.b === b) || (row.a === b && row.b === a));
      const set = emulated[`${a}-${b}`] ?? emulated[`${b}-${a}`];
      if (!link) return set === undefined ? "–" : `not linked (${milliseconds(set)})`;
      return `${milliseconds(link.rtt_ms)}${set === undefined ? "" : ` (${milliseconds(set)})`}`;
    };
    this.#distances.show(names.map((from) => [from, ...names.map((to) => between(from, to))]));
  }
}

/** Makes the table of gateways, whose rows are [`gatewayCells`]. */
export function gatewaysTable(): LiveTable {
  return new LiveTable("Gateways", [{ name: "Between" }, { name: "State" }, number("Round trip")], "There are no gateways.");
}

export function gatewayCells(row: GatewayRow): string[] {
  return [`${row.a} – ${row.b}`, row.complete ? "✓ complete" : `!✗ from ${row.a} ${row.from_a}, from ${row.b} ${row.from_b}`, milliseconds(row.rtt_ms)];
}

export function showGateways(tile: Tile, gateways: readonly GatewayRow[]): void {
  const broken = gateways.filter(({ complete }) => !complete).length;
  tile.show(count(gateways.length), broken > 0 ? `${broken} incomplete` : "all complete", broken > 0);
}
