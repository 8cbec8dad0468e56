/** nats-geo for pages: one connection per origin, in a service worker, shared by all pages. */
import type { ConnectionOptions, NatsConnection } from "./nats.js";
export * from "./nats.js";
export * from "./jetstream.js";
export * from "./compat.js";

export interface WorkerOptions {
  /** Script of the service worker; it creates a `NatsGeoWorker`. The default is "/nats-geo-sw.js". */
  url?: string | URL;
  /** "module" is the default; "classic" for scripts that use `importScripts`. */
  type?: "module" | "classic";
  scope?: string;
}

export interface PageOptions extends ConnectionOptions {
  /**
   * Place of the connection. "worker": only in the service worker. "page": only in this page. "auto" (the default): in the service
   * worker, or in this page when no service worker is available, such as after a hard reload. The page waits for the service
   * worker for half of `timeout`, and has the other half to connect by itself.
   */
  mode?: "auto" | "worker" | "page";
  worker?: WorkerOptions;
  /** URL of the engine's WebAssembly, for a page that must hold the connection itself. */
  wasm?: string | URL;
}

/**
 * Connects through the service worker.
 *
 * ```ts
 * import { connect } from "nats-geo";
 * const nc = await connect({ servers: ["wss://lon.example.org", "wss://ams.example.org"], worker: { url: "/sw.js" } });
 * for await (const message of nc.subscribe("orders.>")) console.log(message.subject, message.string());
 * ```
 */
export function connect(options?: PageOptions): Promise<NatsConnection>;
/** The function `connect`, with its name in nats-core. */
export const wsconnect: typeof connect;
