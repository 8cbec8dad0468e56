// Entry "nats-geo/sw", and the global `NatsGeo` of the classic build.

export * from "./common.ts";
export { NatsGeoWorker } from "./worker/worker.ts";
