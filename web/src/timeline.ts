// What happened, newest first, as a person would say it.

import type { Status } from "nats-geo";
import { byId, html } from "./dom.ts";

const ENTRIES_MAX = 60;

/** The events that get a line. */
const LINES: Readonly<Partial<Record<Status["type"], (status: Status) => string>>> = {
  lost: ({ server }) => `link to ${server ?? "the server"} lost`,
  moved: ({ text, server }) => text ?? `moved to ${server ?? "another server"}`,
  suspected: ({ server }) => `${server ?? "the server"} is silent`,
  cleared: ({ server }) => `${server ?? "the server"} answers again`,
  lameDuck: ({ server }) => `${server ?? "the server"} announced its shutdown`,
  offline: () => "no server answers",
  standbyReady: ({ server }) => `the standby at ${server ?? "another server"} is ready`,
  damped: (status) => `${String(status["region"] ?? "a region")} failed too often: the client avoids it for now`,
  error: ({ error }) => `error: ${error?.message ?? "unknown"}`,
  worker: () => "the service worker was restarted",
};

export function showStatus(status: Status): void {
  const line = LINES[status.type]?.(status);
  if (line !== undefined) note(line, status.type);
}

/** A line in the timeline. */
export function note(text: string, kind = "order"): void {
  const now = new Date();
  const time = html("time", { datetime: now.toISOString() }, `${now.toLocaleTimeString("en-GB")}.${String(now.getMilliseconds()).padStart(3, "0")}`);
  const list = byId("timeline");
  list.prepend(html("li", { class: kind }, time, " ", text));
  while (list.childElementCount > ENTRIES_MAX) list.lastElementChild?.remove();
}
