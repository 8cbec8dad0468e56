// The parts that pages are made of.

import { byId, html } from "../../src/dom.ts";
import { table, type Cell, type Column } from "../../report/src/page.ts";
import type { State } from "./model.ts";

const SIGNS: Readonly<Record<State, string>> = { PASS: "✓", FAIL: "✗", INCONCLUSIVE: "?", UNFINISHED: "…" };

/** Names the page in its heading and in the window's title. */
export function entitle(title: string, lead = ""): void {
  byId("title").textContent = title;
  byId("lead").replaceChildren(...marked(lead));
  document.title = `${title} – loadgen`;
}

/** Says something to readers who cannot see what changed. */
export function announce(text: string): void {
  if (byId("status").textContent !== text) byId("status").textContent = text;
}

/** Makes the mark of a verdict: its sign, its word and its colour. */
export function badge(state: State): HTMLElement {
  return html("span", { class: `badge ${state.toLowerCase()}` }, html("span", { "aria-hidden": "true" }, SIGNS[state] ?? "?"), " ", state);
}

/** Makes a box with a heading. */
export function card(title: string, ...children: Cell[]): HTMLElement {
  return html("section", { "aria-label": title }, html("h2", {}, title), ...children);
}

/** Makes a message. One that is urgent is read aloud at once. */
export function notice(text: string, isUrgent = false): HTMLElement {
  return html("p", { class: "message", role: isUrgent ? "alert" : undefined }, ...marked(text));
}

/** Shows names and commands, which stand between backticks in loadgen's messages, as code. */
export function marked(text: string): (HTMLElement | string)[] {
  return text.split("`").map((part, index) => (index % 2 === 1 ? html("code", {}, part) : part));
}

/** Makes a table as the report's, with a caption. `isTitled` says that a heading above it shows the same words. */
export function captioned(caption: string, columns: readonly Column[], rows: readonly (readonly Cell[])[], isTitled = true): HTMLElement {
  const made = table(caption, columns, rows);
  const inner = made.querySelector("table");
  if (inner) {
    inner.removeAttribute("aria-label");
    inner.prepend(html("caption", {}, html("span", { class: isTitled ? "hidden" : undefined }, caption)));
  }
  return made;
}

/** Makes a column of numbers. */
export function number(name: string): Column {
  return { name, isNumber: true };
}

/** Makes addresses of servers' pages. A frame of another page has no ways to other pages. */
export function serverLink(): ((server: string) => string) | undefined {
  return "frame" in document.documentElement.dataset ? undefined : (server) => `/servers/${encodeURIComponent(server)}`;
}

/** A table that changes in place, so that the reader keeps the place, the focus and the selection. */
export class LiveTable {
  readonly element: HTMLElement;
  readonly #columns: readonly Column[];
  readonly #empty: HTMLElement;
  readonly #link: ((text: string) => string) | undefined;

  /** `link` makes the address to which the first cell of a row leads. */
  constructor(caption: string, columns: readonly Column[], empty: string, isTitled = false, link?: (text: string) => string) {
    this.#columns = columns;
    this.#link = link;
    this.#empty = html("p", { class: "quiet" }, ...marked(empty));
    this.element = html("div", {}, captioned(caption, columns, [], isTitled), this.#empty);
  }

  /** Shows these rows. Only cells whose text is another one change. A text that begins with `!` is bad news. */
  show(rows: readonly (readonly string[])[]): void {
    this.#empty.hidden = rows.length > 0;
    const scroll = this.element.querySelector<HTMLElement>(".scroll");
    if (scroll) scroll.hidden = rows.length === 0;
    const body = this.element.querySelector("tbody");
    if (!body) return;
    while (body.rows.length > rows.length) body.deleteRow(-1);
    rows.forEach((cells, index) => this.#row(body.rows[index] ?? this.#added(body), cells));
  }

  #added(body: HTMLTableSectionElement): HTMLTableRowElement {
    const cells = this.#columns.map(({ isNumber }, index) => (index === 0 ? html("th", { scope: "row" }) : html("td", { class: isNumber ? "number" : undefined })));
    const row = html("tr", {}, ...cells) as HTMLTableRowElement;
    body.append(row);
    return row;
  }

  #row(row: HTMLTableRowElement, cells: readonly string[]): void {
    cells.forEach((cell, index) => {
      const place = row.cells[index];
      if (!place) return;
      const isBad = cell.startsWith("!");
      const text = isBad ? cell.slice(1) : cell;
      if (place.textContent !== text) place.replaceChildren(index === 0 && this.#link ? html("a", { href: this.#link(text) }, text) : text);
      place.classList.toggle("bad", isBad);
    });
  }
}

/** A figure of the top line, with words below it. */
export class Tile {
  readonly element: HTMLElement;
  readonly #value = html("dd", { class: "value" });
  readonly #words = html("dd", { class: "words" });

  constructor(name: string) {
    this.element = html("div", { class: "tile" }, html("dt", {}, name), this.#value, this.#words);
  }

  show(value: string, words: string, isBad: boolean): void {
    if (this.#value.textContent !== value) this.#value.textContent = value;
    if (this.#words.textContent !== words) this.#words.textContent = words;
    this.element.classList.toggle("trouble", isBad);
  }
}
