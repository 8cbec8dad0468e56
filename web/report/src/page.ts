// The parts that sections are made of. All of them write names as text, never as markup.

import { byId, html } from "../../src/dom.ts";

export type Cell = string | Node;

/** A column of a table: its heading, and whether it holds numbers. */
export interface Column {
  readonly name: string;
  readonly isNumber?: boolean;
}

/** Adds a section with its heading to `parent`, and its link to the contents. */
export function section(id: string, title: string, intro: string | null, parent: HTMLElement, ...children: Cell[]): HTMLElement {
  const heading = html("h2", { id: `${id}-title`, tabindex: -1 }, title);
  const words = intro === null ? [] : [html("p", { class: "quiet" }, intro)];
  const made = html("section", { id, "aria-labelledby": `${id}-title` }, heading, ...words, ...children);
  parent.append(made);
  byId("contents").append(html("a", { href: `#${id}` }, title));
  byId("contents").hidden = false;
  return made;
}

/** Makes a table in a box that scrolls by itself, so that the page never does. The first column names the row. */
export function table(caption: string, columns: readonly Column[], rows: readonly (readonly Cell[])[]): HTMLElement {
  const kind = (index: number): string | undefined => (columns[index]?.isNumber ? "number" : undefined);
  const head = html("tr", {}, ...columns.map(({ name }, index) => html("th", { scope: "col", class: kind(index) }, name)));
  const body = rows.map((cells) => html("tr", {}, ...cells.map((cell, index) => (index === 0 ? html("th", { scope: "row" }, cell) : html("td", { class: kind(index) }, cell)))));
  const made = html("table", { "aria-label": caption }, html("thead", {}, head), html("tbody", {}, ...body));
  return html("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `${caption} (table)` }, made);
}

/** Makes details whose content is made when the reader opens them, because tables of large runs take time. */
export function details(summary: string, content: () => Cell): HTMLElement {
  const made = html("details", {}, html("summary", {}, summary)) as HTMLDetailsElement;
  made.addEventListener("toggle", () => {
    if (made.open && made.childElementCount === 1) made.append(content());
  });
  return made;
}

/** Makes a labelled choice; `chosen` gets the index of the option. */
export function choice(id: string, label: string, options: readonly string[], chosen: (index: number) => void, first = 0): HTMLElement {
  const select = html("select", { id }, ...options.map((option, index) => html("option", { value: index, selected: index === first }, option))) as HTMLSelectElement;
  select.addEventListener("change", () => chosen(select.selectedIndex));
  return html("label", { class: "choice", for: id }, html("span", {}, label), select);
}

/** Makes the text of a section for which the run has no data. */
export function nothing(text: string): HTMLElement {
  return html("p", { class: "quiet nothing" }, text);
}

/** Shows a message in place of the report. */
export function message(text: string): void {
  byId("report").replaceChildren(html("p", { class: "message", role: "alert" }, text));
}
