// What happened, newest first, as a person would say it.

import type { Status } from "nats-geo";
import { byId, html } from "./dom.ts";

const ENTRIES_MAX = 60;

/** What is worth a line. */
const SAID: Readonly<Record<string, (status: Status) => string>> = {
  disconnect: ({ server }) => `link to ${server ?? "the server"} lost`,
  reconnect: ({ server }) => `live on ${server ?? "another server"}`,
  region: (status) => (typeof status["text"] === "string" ? status["text"] : `moved to ${String(status["region"] ?? status.server ?? "another region")}`),
  suspected: ({ server }) => `${server ?? "the server"} is suspiciously silent`,
  cleared: ({ server }) => `${server ?? "the server"} is heard again`,
  ldm: ({ server }) => `${server ?? "the server"} announced its end`,
  offline: () => "nothing answers",
  standby: ({ server }) => `standby ready on ${server ?? "another server"}`,
  damped: (status) => `${String(status["region"] ?? "a region")} was left too often and rests`,
  error: ({ error }) => `error: ${error?.message ?? "unknown"}`,
  worker: () => "the service worker was restarted",
};

export function showStatus(status: Status): void {
  const said = SAID[status.type]?.(status);
  if (said !== undefined) note(said, status.type);
}

/** A line in the timeline. */
export function note(text: string, kind = "order"): void {
  const now = new Date();
  const time = html("time", { datetime: now.toISOString() }, `${now.toLocaleTimeString("en-GB")}.${String(now.getMilliseconds()).padStart(3, "0")}`);
  const list = byId("timeline");
  list.prepend(html("li", { class: kind }, time, " ", text));
  while (list.childElementCount > ENTRIES_MAX) list.lastElementChild?.remove();
}
