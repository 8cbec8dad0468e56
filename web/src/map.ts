// The map: regions at their places on Earth, and the line that traffic takes.

import type { Snapshot } from "nats-geo";
import { byId, ms, svg } from "./dom.ts";
import { rttMs, type World } from "./world.ts";

/** Longitude and latitude of the cities that loadgen knows; others find a place on a circle. */
const CITIES: Readonly<Record<string, readonly [number, number]>> = {
  ams: [4.9, 52.4], atl: [-84.4, 33.7], bom: [72.9, 19.1], cdg: [2.4, 48.9], dal: [-96.8, 32.8], den: [-105, 39.7], dub: [-6.3, 53.3], fra: [8.7, 50.1], gru: [-46.6, -23.5],
  hkg: [114.2, 22.3], hnd: [139.7, 35.7], iad: [-77.5, 39], jnb: [28, -26.2], lax: [-118.2, 34.1], lhr: [-0.5, 51.5], lon: [-0.1, 51.5], mad: [-3.7, 40.4], mel: [145, -37.8], mia: [-80.2, 25.8],
  nrt: [140.4, 35.8], nyc: [-74, 40.7], ord: [-87.6, 41.9], par: [2.4, 48.9], sea: [-122.3, 47.6], sfo: [-122.4, 37.8], sin: [103.8, 1.4], sjc: [-121.9, 37.3], syd: [151.2, -33.9], tyo: [139.7, 35.7], waw: [21, 52.2], yyz: [-79.4, 43.7],
};
const WIDTH = 720;
const HEIGHT = 340;
const MARGIN = 90;
/** Nearer than this, two labels would lie on each other. */
const APART_MIN = 110;

interface Place {
  readonly x: number;
  readonly y: number;
}

/** Draws the map anew: it is small, and nothing in it has a state of its own. */
export function drawMap(world: World, snapshot: Snapshot | undefined, home: string): void {
  const places = placed(world.regions.map(({ name }) => name));
  const at = (region: string): Place => places.get(region) ?? { x: WIDTH / 2, y: HEIGHT / 2 };
  const live = snapshot?.liveRegion;
  const standby = snapshot?.regions.find(({ servers }) => servers.some(({ address }) => address === snapshot.standby))?.region;
  const lines = world.regions.filter(({ name }) => name !== home).map(({ name }) => line(at(home), at(name), name === live ? "live" : name === standby ? "standby" : "idle", ms(rttMs(world, home, name))));
  const dots = world.regions.map((region) => dot(at(region.name), region.name, health(region), region.name === live, region.name === home));
  byId("map").replaceChildren(...graticule(), ...lines, ...dots);
  byId("map-text").textContent = live === undefined ? `You are in ${home} and connected to nothing.` : `You are in ${home}, connected to ${live}, ${ms(rttMs(world, home, live))} away.`;
}

function health(region: World["regions"][number]): "up" | "hurt" | "down" {
  const up = region.servers.filter(({ state }) => state === "up").length;
  if (region.is_silent || up === 0) return "down";
  return up < region.servers.length ? "hurt" : "up";
}

/** Longitudes and latitudes stretched to fill the picture, then pushed apart until labels fit. */
export function placed(regions: readonly string[]): Map<string, Place> {
  const known = regions.map((region, index) => CITIES[region] ?? ([-170 + (340 * (index + 0.5)) / regions.length, -20] as const));
  const spread = (axis: 0 | 1, low: number, high: number): ((value: number) => number) => {
    const values = known.map((city) => city[axis]);
    const [min, max] = [Math.min(...values), Math.max(...values)];
    return (value) => (max === min ? (low + high) / 2 : low + ((value - min) / (max - min)) * (high - low));
  };
  const x = spread(0, MARGIN, WIDTH - MARGIN);
  const y = spread(1, HEIGHT - MARGIN, MARGIN);
  const places = known.map(([longitude, latitude]) => ({ x: x(longitude), y: y(latitude) }));
  for (let round = 0; round < 60; round += 1) places.forEach((place, index) => push(place, places.slice(index + 1)));
  return new Map(regions.map((region, index) => [region, places[index] ?? { x: 0, y: 0 }]));
}

function push(place: { x: number; y: number }, others: { x: number; y: number }[]): void {
  for (const other of others) {
    const [dx, dy] = [other.x - place.x || 1, other.y - place.y || 1];
    const distance = Math.hypot(dx, dy);
    if (distance >= APART_MIN) continue;
    const step = (APART_MIN - distance) / 2 / distance;
    place.x = within(place.x - dx * step, WIDTH);
    place.y = within(place.y - dy * step, HEIGHT);
    other.x = within(other.x + dx * step, WIDTH);
    other.y = within(other.y + dy * step, HEIGHT);
  }
}

function within(value: number, size: number): number {
  return Math.min(Math.max(value, MARGIN / 2), size - MARGIN / 2);
}

function graticule(): SVGElement[] {
  const lines: SVGElement[] = [];
  for (let x = 0; x <= WIDTH; x += 60) lines.push(svg("path", { class: "grid", d: `M${x} 0 Q${WIDTH / 2 + (x - WIDTH / 2) * 1.08} ${HEIGHT / 2} ${x} ${HEIGHT}` }));
  for (let y = 20; y < HEIGHT; y += 60) lines.push(svg("path", { class: "grid", d: `M0 ${y} H${WIDTH}` }));
  return lines;
}

function line(from: Place, to: Place, kind: string, label: string): SVGElement {
  const middle = { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 - Math.hypot(to.x - from.x, to.y - from.y) * 0.16 };
  const path = svg("path", { d: `M${from.x} ${from.y} Q${middle.x} ${middle.y} ${to.x} ${to.y}`, class: `line ${kind}` });
  const text = svg("text", { x: (from.x + to.x) / 4 + middle.x / 2, y: (from.y + to.y) / 4 + middle.y / 2 - 8, class: "distance" }, label);
  return svg("g", {}, path, text);
}

function dot(place: Place, name: string, state: string, isLive: boolean, isHome: boolean): SVGElement {
  const marks = [svg("circle", { cx: place.x, cy: place.y, r: isLive ? 13 : 9, class: `region ${state}` })];
  if (isLive) marks.push(svg("circle", { cx: place.x, cy: place.y, r: 19, class: "ring" }));
  const words = [name, isHome ? "you" : "", state === "up" ? "" : state].filter((word) => word !== "");
  return svg("g", {}, ...marks, svg("text", { x: place.x, y: place.y + 36, class: isLive ? "name live" : "name" }, words.join(" · ")));
}
