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
  if (event.request.method === "GET" && isShell) event.respondWith(shell(event.request));
});

/** The newest there is: from the network, else as it was. */
async function shell(request: Request): Promise<Response> {
  const cache = await caches.open(SHELL);
  // The token is in the first address, and belongs in no cache.
  const key = new URL(request.url);
  key.search = "";
  try {
    const response = await fetch(request);
    if (response.ok) await cache.put(key, response.clone());
    return response;
  } catch (error) {
    const cached = await cache.match(key);
    if (cached) return cached;
    throw error;
  }
}
