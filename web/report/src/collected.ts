// Draws figures of other systems, which `loadgen run --collect` read while the scenario was played.

import { html } from "../../src/dom.ts";
import { count, plural, seconds, short } from "./format.ts";
import type { Collected } from "./model.ts";
import { details, section, table } from "./page.ts";
import { evenly, firstAtLeast } from "./stats.ts";
import { timeChart, type Frames } from "./timechart.ts";

const ROWS_MAX = 60;

export function drawCollected(frames: Frames, parent: HTMLElement): void {
  const figures = (frames.run.collected ?? []).filter(({ values }) => values.length > 0);
  if (figures.length === 0) return;
  const charts = figures.map((figure) => chart(frames, figure));
  section("collected", "Other systems", "Figures of the sources that the option --collect names. loadgen queried each source at its own interval.", parent, html("div", { class: "columns" }, ...charts), details("Table: figures of other systems", () => html("div", {}, ...figures.map(valueTable))));
}

function nameOf({ source, figure }: Collected): string {
  return `${source}: ${figure}`;
}

function chart(frames: Frames, figure: Collected): HTMLElement {
  const times = figure.values.map(([at]) => at);
  const values = figure.values.map(([, value]) => value);
  const [least, most] = [Math.min(0, ...values), Math.max(0, ...values)];
  return timeChart(frames, {
    label: `${nameOf(figure)} over time, from ${short(Math.min(...values))} to ${short(Math.max(...values))}. The table below has the figures.`,
    title: nameOf(figure),
    height: 150,
    times,
    lines: [{ colour: "--line-1", dash: 0, kind: values.length > 1 ? "line" : "points", values }],
    y: [least, most === least ? least + 1 : most + (most - least) * 0.05],
    readout: (time) => {
      const index = firstAtLeast(times, time + 1e-9) - 1;
      return index < 0 ? "no value yet" : `${seconds(Number((times[index] ?? 0).toFixed(1)))}: ${short(values[index] ?? 0)}`;
    },
  });
}

function valueTable(figure: Collected): HTMLElement {
  const shown = evenly(figure.values.length, ROWS_MAX).map((index) => figure.values[index] ?? [0, 0]);
  const words = `${count(shown.length)} of ${plural(figure.values.length, "value")} of ${nameOf(figure)}.`;
  return html("div", {}, html("p", { class: "quiet" }, words), table(nameOf(figure), [{ name: "Time" }, { name: "Value", isNumber: true }], shown.map(([at, value]) => [`${at.toFixed(1)} s`, short(value)])));
}
