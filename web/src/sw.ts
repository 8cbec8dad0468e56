// The demo's service worker: NATS by nats-geo, and the demo's own files from the cache when nobody serves them.

import { NatsGeoWorker } from "nats-geo/sw";
import { SHELL } from "./offline.ts";

declare const self: ServiceWorkerGlobalScope;

const worker = new NatsGeoWorker({
  routes: [
    { path: "/site/*", subject: "web.site.*", timeout: 5000 },
    { path: "/files/*", bucket: "site" },
  ],
});
// Paths that NATS answers, and those that only make sense live.
const NOT_SHELL = [...worker.routes.map(({ path }) => path.replace(/\*$/, "")), "/api/", "/__nats_geo/"];

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  const isShell = url.origin === self.location.origin && !NOT_SHELL.some((prefix) => url.pathname.startsWith(prefix));
  if (event.request.method === "GET" && isShell) event.respondWith(shell(event));
});

/** The newest there is: from the network, else as it was. */
async function shell(event: FetchEvent): Promise<Response> {
  // A query, such as one that a search engine adds, makes no other page.
  const key = new URL(event.request.url);
  key.search = "";
  let response: Response;
  try {
    response = await fetch(event.request);
  } catch (error) {
    const cached = await caches.match(key, { cacheName: SHELL });
    if (cached) return cached;
    throw error;
  }
  if (response.status === 200) event.waitUntil(keep(key, response.clone()));
  return response;
}

/** A full disk, or one that may not be written, is no reason to answer nothing. */
async function keep(key: URL, response: Response): Promise<void> {
  try {
    const cache = await caches.open(SHELL);
    await cache.put(key, response);
  } catch (error) {
    console.warn("the demo will not open offline:", error);
  }
}
