// Engine cache: the WebAssembly file is kept at install, so that a worker starts without the network.

const CACHE = "nats-geo-engine";

/** Keeps this version's file and drops others. Its name has a hash, so it never changes. */
export async function keepEngine(url: URL): Promise<void> {
  const cache = await caches.open(CACHE);
  if (!(await cache.match(url))) await cache.add(url);
  for (const request of await cache.keys()) if (request.url !== url.href) await cache.delete(request);
}

/** The kept file, else the network's. */
export async function cachedEngine(url: URL): Promise<Response | URL> {
  return (await caches.match(url, { cacheName: CACHE }).catch(() => undefined)) ?? url;
}
