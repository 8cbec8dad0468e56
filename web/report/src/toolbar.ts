// The controls of all charts over time: the part of the run that they show, and the cursor.

import { html, svg } from "../../src/dom.ts";
import { seconds } from "./format.ts";
import { endOf, type Fault, type Report, type Run } from "./model.ts";
import { choice } from "./page.ts";
import { isDotted, lineColour } from "./palette.ts";
import type { TimeAxis } from "./time.ts";
import type { Frames } from "./timechart.ts";

/** Room around a fault that the charts show, as a share of the fault's length. */
const AROUND = 0.3;
const AROUND_MIN_S = 2;
const DRAGGED = "Selected part";

export function toolbar(report: Report, { run, axis }: Frames): HTMLElement {
  const slider = html("input", { id: "time", type: "range", min: 0, max: run.duration_s, step: Math.min(run.step_s, run.duration_s / 100) || 1, value: axis.cursor }) as HTMLInputElement;
  const output = html("output", { for: "time" });
  slider.addEventListener("input", () => axis.moveCursor(Number(slider.value)));
  axis.onCursor(() => {
    slider.value = String(axis.cursor);
    slider.setAttribute("aria-valuetext", words(run, axis.cursor));
    output.textContent = words(run, axis.cursor);
  });
  const cursor = html("label", { class: "choice cursor", for: "time" }, html("span", {}, "Time"), slider);
  return html("div", { class: "toolbar", role: "group", "aria-label": "Time of the charts" }, rangeChoice(run, axis), cursor, output, key(report));
}

/** Makes the choice of the part that all charts show. It also names a part that the reader chose by dragging. */
function rangeChoice(run: Run, axis: TimeAxis): HTMLElement {
  const ranges = rangesOf(run);
  const made = choice("range", "Show", [...ranges.map(({ name }) => name), DRAGGED], (index) => {
    const chosen = ranges[index];
    if (chosen) axis.show(chosen.from, chosen.to);
  });
  const select = made.querySelector("select");
  const dragged = select?.options[ranges.length];
  if (!select || !dragged) return made;
  dragged.hidden = true;
  axis.onRange(() => {
    const [low, high] = axis.range;
    const known = ranges.findIndex(({ from, to }) => from === low && to === high);
    dragged.hidden = known >= 0;
    select.selectedIndex = known >= 0 ? known : ranges.length;
  });
  return made;
}

/** Lists the faults of a run, numbered as in the charts. */
export function faultList(run: Run): HTMLElement {
  const items = run.faults.map((fault) => html("li", {}, html("strong", {}, `F${fault.id}`), ` ${fault.text} (${span(fault, run)})`));
  return html("ul", { class: "faults", "aria-label": "Faults of this run" }, ...items);
}

function span(fault: Fault, run: Run): string {
  const to = fault.to_s === null ? "the end" : seconds(fault.to_s);
  return `${seconds(fault.from_s)} to ${to}, ${seconds(Number((endOf(fault, run) - fault.from_s).toFixed(1)))} long`;
}

function words(run: Run, time: number): string {
  const phase = run.phases.find(({ from_s, to_s }) => time >= from_s && time < to_s);
  const faults = run.faults.filter((fault) => time >= fault.from_s && time < endOf(fault, run));
  return [`${time.toFixed(1)} s`, ...(phase ? [phase.name] : []), ...faults.map(({ id }) => `F${id}`)].join(", ");
}

function rangesOf(run: Run): { name: string; from: number; to: number }[] {
  const faults = run.faults.map((fault) => {
    const end = endOf(fault, run);
    const around = Math.max((end - fault.from_s) * AROUND, AROUND_MIN_S);
    return { name: `F${fault.id} ${fault.text}`, from: Math.max(0, fault.from_s - around), to: Math.min(run.duration_s, end + around) };
  });
  const phases = run.phases.map(({ name, from_s, to_s }) => ({ name: `Phase ${name}`, from: Math.max(0, from_s), to: Math.min(run.duration_s, to_s) }));
  return [{ name: "Whole run", from: 0, to: run.duration_s }, ...faults, ...phases];
}

function key({ regions }: Report): HTMLElement {
  const items = regions.map((region, index) => {
    const fill = svg("rect", { class: lineColour(index).slice(2), width: 28, height: 10 });
    const dots = isDotted(index) ? [5, 14, 23].map((x) => svg("circle", { class: "dot", cx: x, cy: 5, r: 1.8 })) : [];
    return html("li", {}, svg("svg", { class: "swatch", viewBox: "0 0 28 10", "aria-hidden": "true" }, fill, ...dots), region);
  });
  return html("ul", { class: "key", "aria-label": "Regions", tabindex: 0 }, ...items);
}
