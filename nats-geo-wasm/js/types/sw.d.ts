/** nats-geo for service workers: holds the connection of an origin and serves fetches from it. */
import type { ConnectionOptions, NatsConnection } from "./nats.js";
export * from "./nats.js";
export * from "./jetstream.js";

/** A route whose fetches the service worker answers with a NATS request. */
export interface RequestRoute {
  /** Path under the worker's scope: "/api/:name" matches one segment, "/api/*" the rest. */
  path: string;
  /** Subject of the request; ":name" and "*" take the path's segments, "/" in the rest becomes ".". */
  subject: string;
  /** HTTP methods of the route; the default is GET and HEAD. */
  methods?: string[];
  /** Milliseconds until the answer is a 504; the default is 10,000, at most 50,000. */
  timeout?: number;
  /** Names of HTTP headers that the request carries; the default is accept, accept-language, content-type, if-none-match. */
  forward?: string[];
}

/** A route whose fetches the service worker answers from an object store, with byte ranges. */
export interface ObjectRoute {
  /** Path under the worker's scope: "/files/*"; the rest is the object's name. */
  path: string;
  bucket: string;
  /** JetStream domain of the bucket; the default is the one of the connected server. */
  domain?: string;
  /** Object for paths that end with "/"; the default is none. */
  index?: string;
  /** Milliseconds to wait for the object before the answer is a 504; the default is 10,000, at most 50,000. */
  timeout?: number;
  /** Value of Cache-Control; the default is "no-cache". */
  cacheControl?: string;
}

export type Route = RequestRoute | ObjectRoute;

export interface WorkerConfig {
  /** Options of the connection. The default are those of the first page that connects. */
  connection?: ConnectionOptions;
  /** Paths that are answered from NATS; all others are left alone. */
  routes?: Route[];
  /** URL of the engine's WebAssembly; the default is the folder of the script. */
  wasm?: string | URL;
}

/**
 * Create it in the first run of the service worker's script, synchronously: that registers the listeners.
 *
 * ```ts
 * import { NatsGeoWorker } from "nats-geo/sw";
 * new NatsGeoWorker({ routes: [{ path: "/api/*", subject: "web.api.*" }, { path: "/files/*", bucket: "site" }] });
 * ```
 */
export class NatsGeoWorker {
  constructor(config?: WorkerConfig);
  readonly routes: readonly Route[];
  /** The connection, for code of your own in the worker. */
  connection(): Promise<NatsConnection>;
}
