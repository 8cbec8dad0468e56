// The ranking, with the reason for each place.

import type { RankReason, RegionSnapshot, Snapshot } from "nats-geo";
import { byId, html, ms } from "./dom.ts";

const WHY: Readonly<Record<RankReason, string>> = {
  nearest: "nearest",
  connected: "connected",
  tied: "as near as the nearest",
  farther: "farther",
  damped: "left too often, resting",
  unhealthy: "does not answer",
  lameDuck: "is shutting down",
  credentialsRefused: "refuses the credentials",
  unmeasured: "not measured yet",
};

export function drawRanking(snapshot: Snapshot): void {
  byId("ranking").querySelector("tbody")?.replaceChildren(...snapshot.regions.map((region) => row(region, snapshot.liveRegion)));
  const { moves, discarded, unconfirmed, resent, denied } = snapshot;
  byId("counters").textContent = `${moves} ${moves === 1 ? "move" : "moves"} · publishes: ${unconfirmed} unconfirmed, ${resent} resent, ${discarded} lost, ${denied} denied`;
}

function row(region: RegionSnapshot, live: string | undefined): HTMLElement {
  const why = region.behindMs === undefined ? WHY[region.reason] : `${WHY[region.reason]}, ${ms(region.behindMs)} behind`;
  const isLive = region.region === live;
  const name = html("th", { scope: "row" }, isLive ? `${region.region} (live)` : region.region);
  return html("tr", { class: isLive ? "live" : undefined }, name, html("td", { class: "number" }, ms(region.rttMs)), html("td", {}, why));
}
