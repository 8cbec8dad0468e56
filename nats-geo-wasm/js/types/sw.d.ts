/** nats-geo for service workers: the worker holds the connection of an origin, and answers fetches from NATS. */
import type { ConnectionOptions, NatsConnection } from "./nats.js";
export * from "./nats.js";
export * from "./jetstream.js";

/** A route whose fetches the service worker answers with a NATS request. */
export interface RequestRoute {
  /** Path under the worker's scope: ":name" in "/api/:name" matches one segment, "*" in "/api/*" matches the rest. */
  path: string;
  /** Subject of the request. The client replaces ":name" and "*" by the segments of the path, and "/" in the rest by ".". */
  subject: string;
  /** HTTP methods of the route; the default is GET and HEAD. */
  methods?: string[];
  /** Milliseconds after which the page gets status 504; the default is 10,000, at most 50,000. */
  timeout?: number;
  /** Names of HTTP headers that the request carries; the default is accept, accept-language, content-type, if-none-match. */
  forward?: string[];
}

/** A route whose fetches the service worker answers from an object store, with byte ranges. */
export interface ObjectRoute {
  /** Path under the worker's scope, such as "/files/*"; "*" matches the object's name. */
  path: string;
  bucket: string;
  /** JetStream domain of the bucket; the default is the domain of the connected server. */
  domain?: string;
  /** Name of the object that answers for paths that end with "/"; the default is none. */
  index?: string;
  /** Milliseconds to wait for the object; then the page gets status 504. The default is 10,000, at most 50,000. */
  timeout?: number;
  /** Value of Cache-Control; the default is "no-cache". */
  cacheControl?: string;
}

export type Route = RequestRoute | ObjectRoute;

export interface WorkerConfig {
  /** Options of the connection; the default is the options of the first page that connects. */
  connection?: ConnectionOptions;
  /** Paths that the service worker answers from NATS. It does not handle other paths. */
  routes?: Route[];
  /** URL of the engine's WebAssembly; the default is the folder of the script. */
  wasm?: string | URL;
}

/**
 * A service worker that answers fetches from NATS. Create it synchronously in the worker's script, because the constructor registers
 * the listeners.
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
