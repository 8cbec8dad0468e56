// The film and the line that come out of NATS through the service worker.

import type { NatsConnection } from "nats-geo";
import { byId } from "./dom.ts";
import { note } from "./timeline.ts";

const ASK_EVERY_MS = 2000;

/** Plays, and says where the bytes came from; waits for the worker, without which there is no film. */
export function startFilm(nc: NatsConnection): void {
  const film = byId<HTMLVideoElement>("film");
  const text = byId("film-text");
  if (nc.mode !== "worker") {
    text.textContent = "The film needs the service worker: reload this page without Shift.";
    return;
  }
  film.addEventListener("waiting", () => note("the film waits for data", "film"));
  film.addEventListener("error", () => (text.textContent = `The film stopped: ${film.error?.message ?? "unknown reason"}`));
  film.addEventListener("timeupdate", () => (text.textContent = ahead(film)));
  film.src = "files/zoom.webm";
  // Browsers may want a click first: there are controls for it.
  film.play().catch(() => (text.textContent = "Press play."));
  void ask();
}

function ahead(film: HTMLVideoElement): string {
  const { buffered, currentTime } = film;
  for (let index = 0; index < buffered.length; index += 1) {
    if (buffered.start(index) <= currentTime && currentTime <= buffered.end(index)) {
      return `${Math.round(currentTime)} s played, ${Math.round(buffered.end(index) - currentTime)} s ahead`;
    }
  }
  return `${Math.round(currentTime)} s played`;
}

/** Who answers requests now. */
async function ask(): Promise<never> {
  for (;;) {
    const line = byId("answered");
    try {
      const response = await fetch("site/status");
      const { responder, connected_to } = (await response.json()) as { responder: string; connected_to: string };
      line.textContent = `this line was answered by the responder of ${responder}, connected to ${connected_to}`;
    } catch {
      line.textContent = "nobody answers at the moment";
    }
    await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
  }
}
