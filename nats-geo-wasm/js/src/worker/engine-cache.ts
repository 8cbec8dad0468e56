// Engine cache: the WebAssembly file is kept at install, so that a worker starts without the network.

import { init } from "../engine/module.ts";
import { storageName } from "./scope.ts";

/** Keeps this version's file and drops others. Its name has a hash, so it never changes. */
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

/** The kept file, else the network's. */
export async function cachedEngine(url: URL): Promise<Response | URL> {
  return (await caches.match(url, { cacheName: storageName() }).catch(() => undefined)) ?? url;
}
