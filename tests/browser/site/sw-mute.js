// A worker that controls pages and never answers the fetch by which a page asks for it.
addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("fetch", (event) => {
  if (event.request.url.includes("__nats_geo")) event.respondWith(new Promise(() => {}));
});
