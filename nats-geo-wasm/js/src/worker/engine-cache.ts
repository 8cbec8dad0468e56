// Engine cache: the WebAssembly file is kept at install, so that a worker starts without the network.

import { init } from "../engine/module.ts";
import { storageName } from "./scope.ts";

/**
 * Stores the engine file of this version in the cache, and deletes other versions. Its name contains a hash, so the file
 * never changes.
 */
export async function keepEngine(url: URL): Promise<void> {
  const cache = await caches.open(storageName());
  if (!(await cache.match(url))) {
    const response = await fetch(url);
    // A start page that comes in place of what is not there is no engine, and would be kept for ever.
    await init(response.clone());
    await cache.put(url, response);
  }
  for (const request of await cache.keys()) if (request.url !== url.href) await cache.delete(request);
}

/** Returns the cached engine file, or the URL to load it from. */
export async function cachedEngine(url: URL): Promise<Response | URL> {
  return (await caches.match(url, { cacheName: storageName() }).catch(() => undefined)) ?? url;
}
