/** nats-geo without a service worker: the connection lives in this page or worker. */
import type { ConnectionOptions, NatsConnection } from "./nats.js";
export * from "./nats.js";
export * from "./jetstream.js";
export * from "./compat.js";

/** Source of the engine's WebAssembly. */
export type InitInput = string | URL | Request | Response | BufferSource | WebAssembly.Module;

/** Loads the engine once. Without an argument, it loads the WebAssembly file in the folder of this module. */
export function init(input?: InitInput | Promise<InitInput>): Promise<void>;

/**
 * Connects to the nearest healthy region. Call `init()` before; otherwise this call fails with a `NotInitializedError`.
 *
 * ```ts
 * import { init, wsconnect } from "nats-geo/core";
 * await init();
 * const nc = await wsconnect({ servers: ["wss://lon.example.org", "wss://ams.example.org"] });
 * ```
 */
export function wsconnect(options?: ConnectionOptions): Promise<NatsConnection>;
