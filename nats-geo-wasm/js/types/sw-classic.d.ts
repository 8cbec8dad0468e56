/** For `importScripts`: defines the global `NatsGeo`, which holds what "nats-geo/sw" exports. */
import type * as sw from "./sw.js";

declare global {
  const NatsGeo: typeof sw;
}
export {};
