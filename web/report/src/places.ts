// Draws how many clients are connected to each region over time, stacked.

import { html } from "../../src/dom.ts";
import { count, plural, seconds } from "./format.ts";
import { populationsOf, type Client, type Report, type Run } from "./model.ts";
import { details, nothing, section, table } from "./page.ts";
import { lineColour } from "./palette.ts";
import { countsAt, evenly, firstAtLeast, grouped } from "./stats.ts";
import { timeChart, type Frames } from "./timechart.ts";

const POINTS = 600;
const ROWS_MAX = 60;

/** Returns the regions of the report and of its clients, and then `null` for offline. */
export function placesOf(report: Report, run: Run): (string | null)[] {
  const found = new Set(run.clients.flatMap(({ states }) => states.map(([, place]) => place)));
  found.delete(null);
  return [...new Set([...report.regions, ...(found as Set<string>)]), null];
}

export function placeName(place: string | null): string {
  return place ?? "offline";
}

export function drawPlaces(report: Report, frames: Frames, parent: HTMLElement): void {
  const { run } = frames;
  if (run.clients.length === 0) return void section("places", "Clients per region", null, parent, nothing("This run recorded no clients."));
  const places = placesOf(report, run);
  const times = Array.from({ length: POINTS + 1 }, (_, index) => (index * run.duration_s) / POINTS);
  const made = populationsOf(run).flatMap((population) => {
    const clients = run.clients.filter((client) => client.population === population);
    return clients.length === 0 ? [] : [chart(frames, population, clients, places, times)];
  });
  section("places", "Clients per region", "The charts show how many clients are connected to each region. Stripes mark offline clients.", parent, html("div", { class: "columns" }, ...made), details("Table: clients per region", () => countTable(run, places)));
}

function chart(frames: Frames, population: string, clients: readonly Client[], places: readonly (string | null)[], times: readonly number[]): HTMLElement {
  const counts = countsAt(clients, places, times);
  let below: readonly number[] = [];
  const stacked = counts.map((row) => (below = row.map((value, index) => value + (below[index] ?? 0))));
  const lines = stacked.map((values, index) => {
    const isOffline = places[index] === null;
    return { colour: isOffline ? "--bad" : lineColour(index), dash: index, kind: isOffline ? ("striped" as const) : ("area" as const), values, hasEdge: true };
  });
  return timeChart(frames, {
    label: `${population}: connected clients per region over time, of ${plural(clients.length, "client")}. The table below has the figures.`,
    title: `${population}: ${plural(clients.length, "client")}`,
    height: 190,
    times,
    // The tallest first: the others are drawn over it.
    lines: lines.reverse(),
    y: [0, clients.length * 1.05],
    readout: (time) => {
      const index = Math.max(0, firstAtLeast(times, time + 1e-9) - 1);
      return `${seconds(Number(time.toFixed(1)))}: ${places.map((place, row) => `${placeName(place)} ${count(counts[row]?.[index] ?? 0)}`).join(" · ")}`;
    },
  });
}

function countTable(run: Run, places: readonly (string | null)[]): HTMLElement {
  const changes = [...new Set(run.clients.flatMap(({ states }) => states.map(([since]) => since)))].sort((a, b) => a - b);
  const shown = evenly(changes.length, ROWS_MAX);
  const times = shown.map((index) => changes[index] ?? 0);
  const populations = [...grouped(run.clients, ({ population }) => population)];
  const counts = populations.map(([, clients]) => countsAt(clients, places, times));
  const columns = populations.flatMap(([population]) => places.map((place) => ({ name: `${population}: ${placeName(place)}`, isNumber: true })));
  const rows = times.map((time, at) => [`${time.toFixed(2)} s`, ...counts.flatMap((rowsOf) => rowsOf.map((row) => count(row[at] ?? 0)))]);
  const words = `${count(shown.length)} of ${plural(changes.length, "time")} at which a client changed its region.`;
  return html("div", {}, html("p", { class: "quiet" }, words), table("Clients per region", [{ name: "Time" }, ...columns], rows));
}
