// Messages flowing: a lane for each region, a mark for each message, a gap for each that is missing.

import type { Msg, NatsConnection } from "nats-geo";
import { byId, html } from "./dom.ts";

interface Tick {
  readonly from: string;
  readonly number: number;
}

interface Lane {
  readonly canvas: HTMLCanvasElement;
  readonly text: HTMLElement;
  readonly arrivals: number[];
  last: number;
  lost: number;
  doubled: number;
}

const SHOWN_MS = 20_000;
/** Regions restart their count when loadgen does; a larger step back is that, and no double. */
const RESTART_STEP = 20;
const lanes = new Map<string, Lane>();

/** Shows what comes, for as long as the connection lives. */
export async function followTicks(nc: NatsConnection): Promise<void> {
  const frame = (): void => {
    lanes.forEach(draw);
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  for await (const message of nc.subscribe("demo.tick.*")) count(message);
}

function count(message: Msg): void {
  const { from, number } = message.json<Tick>();
  const lane = lanes.get(from) ?? added(from);
  const step = number - lane.last;
  if (lane.last >= 0 && step > 1) lane.lost += step - 1;
  if (lane.last >= 0 && step <= 0 && step > -RESTART_STEP) lane.doubled += 1;
  lane.last = step > 0 || step <= -RESTART_STEP ? number : lane.last;
  lane.arrivals.push(performance.now());
  lane.text.textContent = `${lane.lost} lost, ${lane.doubled} duplicated`;
}

function added(region: string): Lane {
  const canvas = html("canvas", { width: 600, height: 22, role: "img", "aria-label": `Messages from ${region} in the last 20 seconds` }) as HTMLCanvasElement;
  const text = html("span", { class: "quiet" });
  const lane = { canvas, text, arrivals: [], last: -1, lost: 0, doubled: 0 };
  lanes.set(region, lane);
  byId("ticks").append(html("div", { class: "lane" }, html("b", {}, region), canvas, text));
  return lane;
}

function draw({ canvas, arrivals }: Lane): void {
  const now = performance.now();
  while (arrivals[0] !== undefined && now - arrivals[0] > SHOWN_MS) arrivals.shift();
  const context = canvas.getContext("2d");
  if (!context) return;
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = getComputedStyle(canvas).color;
  for (const arrival of arrivals) context.fillRect(canvas.width * (1 - (now - arrival) / SHOWN_MS), 3, 3, canvas.height - 6);
}
