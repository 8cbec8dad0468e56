/** For `importScripts`: defines the global `NatsGeo`, which has the exports of "nats-geo/sw". */
import type * as sw from "./sw.js";

declare global {
  const NatsGeo: typeof sw;
}
export {};
