// Draws each client as one row, coloured by the region that it is connected to. Large runs show a sample of their clients.

import { html } from "../../src/dom.ts";
import { drawEdges, drawHeader, drawShades, fitted, HEADER, type Frame } from "./bands.ts";
import { addChart, type Chart } from "./charts.ts";
import { count, plural, seconds } from "./format.ts";
import { populationsOf, type Client, type Report } from "./model.ts";
import { details, nothing, section, table } from "./page.ts";
import { areaFill, colour, stripes } from "./palette.ts";
import { placeName, placesOf } from "./places.ts";
import { evenly, grouped, stateAt } from "./stats.ts";
import { GUTTER, RIGHT, type Frames } from "./timechart.ts";

/** More rows than this are not distinct on a screen. */
const ROWS_MAX = 240;
const TABLE_ROWS_MAX = 200;
/** Largest and smallest height of a row, in CSS pixels. */
const ROW_HEIGHTS = [13, 2] as const;
const HEIGHT_WANTED = 420;
/** From this height on, a row has room for the name of its region. */
const NAMED_HEIGHT = 11;
const GROUP_GAP = 5;
const TITLE_HEIGHT = 18;

/** The rows of clients that have one population and one region. */
interface Group {
  readonly population: string;
  readonly region: string;
  readonly clients: readonly Client[];
  readonly isFirst: boolean;
}

export function drawStrip(report: Report, frames: Frames, parent: HTMLElement): void {
  const { run } = frames;
  if (run.clients.length === 0) return void section("strip", "Client states", null, parent, nothing("This run recorded no clients."));
  const groups = groupsOf(report, frames);
  const shown = groups.reduce((rows, { clients }) => rows + clients.length, 0);
  const words = shown === run.clients.length ? `All ${plural(shown, "client")} are drawn, one row each.` : `The run had ${count(run.clients.length)} clients. ${count(shown)} of them are drawn, evenly sampled within each region.`;
  const canvas = html("canvas", { role: "img", "aria-label": `Region of each client over time. ${words} The table below has the figures.` }) as HTMLCanvasElement;
  const cursor = html("div", { class: "strip-cursor", "aria-hidden": "true" });
  const readout = html("p", { class: "readout" });
  const chart = new Strip(report, frames, groups, canvas, cursor, readout);
  addChart(chart);
  frames.charts.add(chart);
  frames.axis.onRange(() => chart.redraw());
  frames.axis.onCursor(() => chart.moveCursor());
  const figure = html("figure", {}, html("div", { class: "strip" }, canvas, cursor), readout);
  section("strip", "Client states", `Each row is a client, grouped by the region where it is. The colour is the region that it is connected to; stripes mean offline. ${words}`, parent, figure, details("Table: where each client was connected", () => stateTable(run.clients)));
}

class Strip implements Chart {
  readonly #places: ReadonlyMap<string | null, number>;
  #width = 0;
  /** The client of the row below the pointer. */
  #pointed: Client | undefined;

  constructor(
    report: Report,
    readonly frames: Frames,
    readonly groups: readonly Group[],
    readonly canvas: HTMLCanvasElement,
    readonly cursor: HTMLElement,
    readonly readout: HTMLElement,
  ) {
    this.#places = new Map(placesOf(report, frames.run).map((place, index) => [place, index]));
    canvas.addEventListener("pointermove", (event) => this.#point(event.offsetX, event.offsetY));
    canvas.addEventListener("dblclick", () => frames.axis.showAll());
  }

  get #rowHeight(): number {
    const rows = this.groups.reduce((sum, { clients }) => sum + clients.length, 0);
    const [high, low] = ROW_HEIGHTS;
    return Math.min(high, Math.max(low, Math.floor(HEIGHT_WANTED / rows)));
  }

  /** Returns the top of each group's rows, and the height of everything. */
  get #layout(): { tops: number[]; height: number } {
    let at = HEADER;
    const tops = this.groups.map(({ clients, isFirst }) => {
      if (isFirst) at += TITLE_HEIGHT;
      const top = at;
      at += clients.length * this.#rowHeight + GROUP_GAP;
      return top;
    });
    return { tops, height: at };
  }

  resize(): void {
    const width = this.canvas.parentElement?.clientWidth ?? 0;
    if (width === 0 || width === this.#width) return;
    this.#width = width;
    this.redraw();
  }

  redraw(): void {
    const pen = this.canvas.getContext("2d");
    if (!pen || this.#width === 0) return;
    const ratio = devicePixelRatio;
    const { tops, height } = this.#layout;
    this.canvas.width = Math.round(this.#width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.canvas.style.width = `${this.#width}px`;
    this.canvas.style.height = `${height}px`;
    const frame = this.#frame(ratio, height);
    drawShades(pen, frame, this.frames.run);
    drawHeader(pen, frame, this.frames.run, true);
    const fills = new Map([...this.#places].map(([place, index]) => [place, place === null ? stripes(pen, ratio) : areaFill(pen, ratio, index)]));
    this.groups.forEach((group, index) => this.#drawGroup(pen, frame, group, (tops[index] ?? 0) * ratio, fills));
    drawEdges(pen, frame, this.frames.run);
    this.moveCursor();
  }

  remove(): void {
    this.#width = 0;
  }

  moveCursor(): void {
    const { axis } = this.frames;
    const [from, to] = axis.range;
    const isShown = axis.cursor >= from && axis.cursor <= to && this.#width > 0;
    this.cursor.hidden = !isShown;
    if (isShown) this.cursor.style.transform = `translateX(${this.#frame(1, 0).x(axis.cursor)}px)`;
    this.readout.textContent = this.#words(axis.cursor);
  }

  #words(time: number): string {
    const client = this.#pointed ?? this.groups[0]?.clients[0];
    if (!client) return "";
    const state = stateAt(client, time);
    return `${seconds(Number(time.toFixed(1)))}: ${client.population} client ${client.number} in ${client.region} ${state === undefined ? "has not started" : state === null ? "is offline" : `is connected to ${state}`}`;
  }

  #frame(ratio: number, height: number): Frame {
    const [from, to] = this.frames.axis.range;
    const left = GUTTER * ratio;
    const width = Math.max((this.#width - GUTTER - RIGHT) * ratio, 1);
    return { left, top: HEADER * ratio, width, height: Math.max(height - HEADER, 0) * ratio, ratio, x: (time) => left + ((time - from) / (to - from)) * width };
  }

  #drawGroup(pen: CanvasRenderingContext2D, frame: Frame, group: Group, top: number, fills: ReadonlyMap<string | null, CanvasPattern | string>): void {
    const { ratio, left, width } = frame;
    pen.font = `${11 * ratio}px system-ui, sans-serif`;
    pen.textBaseline = "middle";
    pen.textAlign = "left";
    if (group.isFirst) {
      pen.fillStyle = colour("--ink");
      pen.fillText(fitted(pen, group.population, width), left, top - (TITLE_HEIGHT / 2) * ratio);
    }
    pen.fillStyle = colour("--quiet");
    pen.fillText(fitted(pen, group.region, left - 4 * ratio), 0, top + (group.clients.length * this.#rowHeight * ratio) / 2);
    pen.save();
    pen.beginPath();
    pen.rect(left, top, width, group.clients.length * this.#rowHeight * ratio);
    pen.clip();
    group.clients.forEach((client, row) => this.#drawRow(pen, frame, client, top + row * this.#rowHeight * ratio, fills));
    pen.restore();
  }

  #drawRow(pen: CanvasRenderingContext2D, frame: Frame, { states }: Client, top: number, fills: ReadonlyMap<string | null, CanvasPattern | string>): void {
    const { ratio, left } = frame;
    const gap = this.#rowHeight > 4 ? ratio : 0;
    const height = this.#rowHeight * ratio - gap;
    states.forEach(([since, place], index) => {
      const from = frame.x(since);
      const to = frame.x(states[index + 1]?.[0] ?? this.frames.run.duration_s);
      if (to <= left || from >= left + frame.width) return;
      pen.fillStyle = fills.get(place) ?? colour("--quiet");
      pen.fillRect(from, top, to - from, height);
      if (this.#rowHeight < NAMED_HEIGHT || place === null) return;
      const start = Math.max(from, left) + 4 * ratio;
      pen.fillStyle = colour("--card");
      pen.font = `${9.5 * ratio}px system-ui, sans-serif`;
      pen.fillText(fitted(pen, place, to - start - 4 * ratio), start, top + height / 2 + ratio / 2);
    });
  }

  #point(x: number, y: number): void {
    const { axis } = this.frames;
    const [from, to] = axis.range;
    const { tops } = this.#layout;
    this.groups.forEach(({ clients }, index) => {
      const row = Math.floor((y - (tops[index] ?? 0)) / this.#rowHeight);
      if (row >= 0 && row < clients.length) this.#pointed = clients[row];
    });
    const { left, width } = this.#frame(1, 0);
    if (x >= left) axis.moveCursor(from + ((x - left) / width) * (to - from));
    this.moveCursor();
  }
}

/** Returns the clients to draw, by population and region. It samples many clients evenly. */
function groupsOf(report: Report, { run }: Frames): Group[] {
  const share = Math.min(1, ROWS_MAX / run.clients.length);
  return populationsOf(run).flatMap((population) => {
    const byRegion = grouped(run.clients.filter((client) => client.population === population), ({ region }) => region);
    const order = [...new Set([...report.regions, ...byRegion.keys()])].filter((region) => byRegion.has(region));
    return order.map((region, index) => {
      const all = [...(byRegion.get(region) ?? [])].sort((a, b) => a.number - b.number);
      // Three rows at least: the sample has the first, the middle and the last client.
      const rows = evenly(all.length, Math.max(3, Math.round(all.length * share)));
      return { population, region, clients: rows.flatMap((row) => all[row] ?? []), isFirst: index === 0 };
    });
  });
}

function stateTable(clients: readonly Client[]): HTMLElement {
  const moved = clients.filter(({ states }) => states.length > 1);
  const listed = moved.length > 0 ? moved : clients;
  const shown = evenly(listed.length, TABLE_ROWS_MAX).flatMap((index) => listed[index] ?? []);
  const rows = shown.map((client) => [`${client.population} ${client.number}`, client.region, client.states.map(([since, place]) => `${since.toFixed(2)} s ${placeName(place)}`).join(" → ")]);
  const words = `${count(moved.length)} of ${plural(clients.length, "client")} changed their region. ${shown.length < listed.length ? `${count(shown.length)} of them are listed, evenly sampled.` : ""}`;
  return html("div", {}, html("p", { class: "quiet" }, words), table("Where each client was connected", [{ name: "Client" }, { name: "Client's region" }, { name: "Connected since" }], rows));
}
