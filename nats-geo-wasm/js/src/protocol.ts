// Protocol between page and service worker. Bulk goes through a MessagePort; greetings and hints go to the worker
// itself, because only such messages start it and keep it awake.

import type { Auth, NkeyCredentials, Snapshot } from "../types/nats.js";
import type { Backend, BackendEvents } from "./backend.ts";
import type { Hint } from "./engine/types.ts";
import type { EngineOptions } from "./options.ts";

/** Path below the worker's scope. The worker never ends the body of its response to this path. */
export const LIFELINE_PATH = "__nats_geo/keepalive";
/** Header that only the worker sends. A page that finds it knows that no server has answered the fetch. */
export const LIFELINE_HEADER = "x-nats-geo";

/** Version of this protocol. Each change increases it, because pages and workers of different versions meet after an update. */
export const PROTOCOL_VERSION = 1;

/** Options in the form that a page posts. */
export interface PostedOptions {
  readonly engine: EngineOptions;
  readonly credentials?: NkeyCredentials;
  /** Whether the page can answer challenges itself. */
  readonly answers: boolean;
}

export type ToWorker =
  | { readonly natsGeo: "hello"; readonly protocol: number; readonly client: string; readonly options?: PostedOptions }
  | { readonly natsGeo: "hint"; readonly client: string; readonly kind: Hint }
  | { readonly natsGeo: "claim" }
  | { readonly natsGeo: "beat" };

type Calls<T> = { [K in keyof T]: T[K] extends (...values: infer V) => unknown ? [K, ...V] : never }[keyof T];

/** Messages of a page through its port: the methods of a backend, with publishes in flat batches. */
export type FromPage =
  | Calls<Omit<Backend, "publish" | "snapshot">>
  | ["publishAll", frames: Uint8Array]
  | ["snapshot", operation: number]
  | ["authenticated", question: number, answer: Auth, error?: string]
  /** Bytes that the page has taken so far: what it has not taken is bounded. */
  | ["taken", bytes: number]
  | ["ping"];

/** Messages of the worker through the port: the events of a backend. */
export type FromWorker =
  | Calls<BackendEvents>
  | ["welcome"]
  /** The engine runs: calls are taken from now on. */
  | ["attached"]
  | ["snapshotTaken", operation: number, snapshot: Snapshot | undefined]
  | ["authenticate", question: number, nonce: string | undefined]
  | ["pong"]
  /** The worker does not hold this page's lifeline: greet it anew. */
  | ["unknown"];
