// The super-cluster that `loadgen up` keeps running: its servers and faults, and the orders of operators.

import { html } from "../../src/dom.ts";
import { milliseconds, plural } from "../../report/src/format.ts";
import type { Api } from "./api.ts";
import { follow, type View, type Words } from "./follow.ts";
import type { Place } from "./main.ts";
import type { Order, Session, Target, UpState } from "./model.ts";
import { card, entitle, LiveTable, marked } from "./parts.ts";
import { timeOf } from "./words.ts";

/** The orders that a server or a region takes, in the order of their buttons. */
const ORDERS: readonly { readonly name: string; readonly make: (target: string) => Order; readonly suits: (target: Target) => boolean }[] = [
  { name: "Kill", make: (target) => ({ do: "kill", target }), suits: ({ states }) => states.some((state) => state !== "dead") },
  { name: "Pause", make: (target) => ({ do: "pause", target }), suits: ({ states }) => states.includes("up") },
  { name: "Lame duck", make: (target) => ({ do: "retire", target }), suits: ({ states }) => states.includes("up") },
  { name: "Silence", make: (target) => ({ do: "silence", target }), suits: ({ isSilent }) => !isSilent },
  { name: "Heal", make: (target) => ({ do: "heal", target }), suits: ({ states, isSilent }) => isSilent || states.some((state) => state !== "up") },
];

const VIEWER = "You can watch, but give no orders: log out, and log in with the token of the second address that `loadgen dashboard --operate` printed.";
const NOBODY = "Nobody can give orders here: start the dashboard with `loadgen dashboard --operate`, and open the second address that it prints.";

export async function drawOperate(place: Place): Promise<void> {
  entitle("Operate", "The super-cluster that `loadgen up` keeps running on this machine.");
  const session = await place.api.get<Session>("/api/session", place.signal);
  await follow<UpState>(place, { path: "/api/live/up", event: "up", waiting: "Waiting for `loadgen up` …", view: ({ api }) => new OperateView(api, session) });
}

class OperateView implements View<UpState> {
  readonly elements: readonly HTMLElement[];
  readonly #desk: Desk;
  readonly #servers: Rows;
  readonly #distances: Rows;
  readonly #faults: Rows;
  readonly #orders = new LiveTable("Last orders", [{ name: "Time" }, { name: "Order" }, { name: "Result" }], "No operator has given an order since the start of this dashboard.", true);

  constructor(api: Api, session: Session) {
    this.#desk = new Desk(api, session);
    const isOperator = session.role === "operate";
    const orders = isOperator ? ["Orders"] : [];
    this.#servers = new Rows("Servers", ["Region or server", "State", ...orders], "");
    this.#distances = new Rows("Distances", ["Between", "Round trip", ...orders], "One region has no distance to another one.");
    this.#faults = new Rows("Active faults", ["Number", "Fault", "Ends at", ...orders], "No fault that an operator injected is active.");
    const rights = isOperator ? [] : [html("p", { class: "message" }, ...marked(session.operable ? VIEWER : NOBODY))];
    this.elements = [
      ...rights,
      this.#desk.answer,
      card("Servers", this.#servers.element),
      html("div", { class: "pair" }, card("Faults", ...(isOperator ? [this.#desk.injectForm()] : []), this.#faults.element), card("Distances", this.#distances.element)),
      card("Last orders", this.#orders.element),
    ];
  }

  show(seen: UpState): Words {
    const targets = seen.regions.flatMap(targetsOf);
    this.#servers.show(targets.map((target) => ({
      key: target.name,
      cells: [target.name, stateOf(target)],
      bad: target.isSilent || target.states.some((state) => state !== "up"),
      isGroup: target.isRegion,
      controls: () => this.#desk.ordersTo(target.name),
      now: target,
    })));
    this.#distances.show(Object.entries(seen.rtt_ms).map(([pair, rtt]) => ({ key: pair, cells: [pair.replace("-", " – "), milliseconds(rtt)], controls: () => [this.#desk.distanceForm(pairOf(pair, seen))], now: rtt })));
    const faults = seen.faults.map(({ number, fault, ends_at }) => ({ key: String(number), cells: [String(number), fault, ends_at === null ? "until an operator undoes it" : timeOf(ends_at)], controls: () => [this.#desk.button("Undo", `Undo fault ${number}`, () => ({ do: "undo", number }))], now: number }));
    this.#faults.show(faults);
    this.#orders.show(seen.orders.map(({ at, order, error }) => [timeOf(at), order, error === null ? "✓ done" : `!✗ ${error}`]));
    const broken = targets.filter((target) => !target.isRegion && (target.isSilent || target.states[0] !== "up")).map((target) => `${target.name} is ${stateOf(target)}`);
    const servers = targets.filter(({ isRegion }) => !isRegion).length;
    const summary = [`${plural(servers, "server")} in ${plural(seen.regions.length, "region")}`, broken.length > 0 ? broken.join(", ") : "all are up", ...(seen.busy === null ? [] : [seen.busy])].join(": ");
    return { summary, problems: [], spoken: [summary, plural(seen.faults.length, "active fault")].join(". ") };
  }
}

/** A region, and then each of its servers. */
export function targetsOf(region: UpState["regions"][number]): Target[] {
  const servers = region.servers.map(({ name, state, is_silent }): Target => ({ name, isRegion: false, states: [state], isSilent: is_silent || region.is_silent }));
  return [{ name: region.name, isRegion: true, states: region.servers.map(({ state }) => state), isSilent: region.is_silent }, ...servers];
}

export function stateOf({ states, isSilent }: Target): string {
  const counts = new Map<string, number>();
  for (const state of states) counts.set(state, (counts.get(state) ?? 0) + 1);
  const words = states.length === 1 ? states : [...counts].map(([state, count]) => `${count} ${state}`);
  return [...words, ...(isSilent ? ["silent"] : [])].join(", ");
}

/** The names of two regions may have hyphens. */
function pairOf(pair: string, { regions }: UpState): [string, string] {
  const names = regions.map(({ name }) => name);
  for (const a of names) for (const b of names) if (`${a}-${b}` === pair) return [a, b];
  return [pair, pair];
}

/** Gives orders, and shows their answers. */
export class Desk {
  readonly answer = html("p", { id: "answer", class: "message", role: "status", hidden: true });
  readonly #api: Api;
  readonly #isOperator: boolean;

  constructor(api: Api, { role }: Session) {
    this.#api = api;
    this.#isOperator = role === "operate";
  }

  /** Makes a button for each order that a server or a region takes. `update` takes its `Target`. */
  ordersTo(target: string): Control[] {
    return ORDERS.map(({ name, make, suits }) => this.button(name, `${name} ${target}`, () => make(target), (now) => suits(now as Target)));
  }

  /** Makes a button that gives an order. While the order does not suit the target, the button does nothing, and keeps the focus. */
  button(name: string, label: string, order: () => Order, suits: (now: unknown) => boolean = () => true): Control {
    const button = html("button", { type: "button", "aria-label": label }, name);
    button.addEventListener("click", () => {
      if (button.ariaDisabled !== "true") void this.#give(label, order());
    });
    return { element: button, update: (now) => (button.ariaDisabled = String(!suits(now))), isShown: this.#isOperator };
  }

  distanceForm(between: [string, string]): Control {
    const pair = between.join(" – ");
    const input = html("input", { type: "number", min: 0, step: "any", required: true, "aria-label": `Round trip ${pair} in ms`, placeholder: "ms" }) as HTMLInputElement;
    const form = html("form", { class: "order" }, input, html("button", { type: "submit", "aria-label": `Set the round trip ${pair}` }, "Set"));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#give(`Set the round trip ${pair}`, { do: "set-rtt", between, rtt_ms: input.valueAsNumber });
    });
    return { element: form, update: () => {}, isShown: this.#isOperator };
  }

  injectForm(): HTMLElement {
    const fault = html("input", { id: "fault", type: "text", required: true, autocomplete: "off", spellcheck: "false", placeholder: "silence:lon" }) as HTMLInputElement;
    const seconds = html("input", { id: "lasts", type: "number", min: 0.01, step: "any", placeholder: "no end" }) as HTMLInputElement;
    const field = (label: string, input: HTMLElement): HTMLElement => html("label", { class: "field" }, html("span", {}, label), input);
    const form = html("form", { id: "inject" }, field("Fault: KIND:TARGET,OPTION=VALUE", fault), field("Seconds until its end", seconds), html("button", { type: "submit" }, "Inject"));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const lasts_ms = seconds.value === "" ? null : Math.round(seconds.valueAsNumber * 1000);
      void this.#give(`Inject ${fault.value}`, { do: "inject", fault: fault.value.trim(), lasts_ms });
    });
    return form;
  }

  async #give(label: string, order: Order): Promise<void> {
    this.#say(`${label} …`, false);
    try {
      await this.#api.post("/api/orders", order);
      this.#say(`${label}: done.`, false);
    } catch (error) {
      this.#say(`${label}: ${(error as Error).message}`, true);
    }
  }

  #say(text: string, isBad: boolean): void {
    this.answer.hidden = false;
    this.answer.classList.toggle("bad", isBad);
    this.answer.replaceChildren(...marked(text));
  }
}

/** A part of a row with which an operator gives orders. */
interface Control {
  readonly element: HTMLElement;
  /** Takes the row's new state in. */
  readonly update: (now: unknown) => void;
  readonly isShown: boolean;
}

interface Row {
  readonly key: string;
  readonly cells: readonly string[];
  readonly bad?: boolean;
  readonly isGroup?: boolean;
  readonly controls: () => readonly Control[];
  readonly now: unknown;
}

/** A table whose rows keep their buttons, so that the focus stays where it is. */
class Rows {
  readonly element: HTMLElement;
  readonly #body = html("tbody");
  readonly #table: HTMLElement;
  readonly #empty: HTMLElement;
  #shown = new Map<string, { readonly row: HTMLElement; readonly cells: readonly HTMLElement[]; readonly controls: readonly Control[] }>();

  constructor(caption: string, columns: readonly string[], empty: string) {
    const head = html("thead", {}, html("tr", {}, ...columns.map((name) => html("th", { scope: "col" }, name))));
    this.#table = html("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `${caption} (table)` }, html("table", { class: "targets" }, html("caption", {}, html("span", { class: "hidden" }, caption)), head, this.#body));
    this.#empty = html("p", { class: "quiet" }, empty);
    this.element = html("div", {}, this.#table, this.#empty);
  }

  show(rows: readonly Row[]): void {
    this.#table.hidden = rows.length === 0;
    this.#empty.hidden = rows.length > 0 || this.#empty.textContent === "";
    const shown = new Map(rows.map((row) => [row.key, this.#shown.get(row.key) ?? made(row)]));
    for (const [key, { row }] of this.#shown) if (!shown.has(key)) row.remove();
    this.#shown = shown;
    for (const { key, cells, bad, now } of rows) {
      const it = shown.get(key);
      if (!it) continue;
      if (it.row.parentElement === null) this.#body.append(it.row);
      cells.forEach((text, index) => {
        const cell = it.cells[index];
        if (cell && cell.textContent !== text) cell.textContent = text;
      });
      it.cells[1]?.classList.toggle("bad", bad === true);
      it.controls.forEach(({ update }) => update(now));
    }
  }
}

function made({ cells, isGroup, controls }: Row): { row: HTMLElement; cells: HTMLElement[]; controls: readonly Control[] } {
  const places = cells.map((_, index) => (index === 0 ? html("th", { scope: "row" }) : html("td")));
  const all = controls().filter(({ isShown }) => isShown);
  const orders = all.length > 0 ? [html("td", { class: "orders" }, ...all.map(({ element }) => element))] : [];
  return { row: html("tr", { class: isGroup === true ? "group" : undefined }, ...places, ...orders), cells: places, controls: all };
}
