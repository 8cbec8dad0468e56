// Protocol between page and service worker. Bulk goes through a MessagePort; greetings and hints go to the worker
// itself, because only such messages start it and keep it awake.

import type { Auth, NkeyCredentials, Snapshot } from "../types/nats.js";
import type { Backend, BackendEvents } from "./backend.ts";
import type { Hint } from "./engine/types.ts";
import type { EngineOptions } from "./options.ts";

/** Under the worker's scope; the worker never ends the body of this response. */
export const LIFELINE_PATH = "__nats_geo/keepalive";
/** Tells the worker's answer from that of a server which answers everything. */
export const LIFELINE_HEADER = "x-nats-geo";

/** Raised with every change of this protocol: pages and workers of different ages meet after an update. */
export const PROTOCOL_VERSION = 1;

/** Options as a page posts them. */
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

/** What a page says through its port: a backend's methods, with publishes in flat batches. */
export type FromPage =
  | Calls<Omit<Backend, "publish" | "snapshot">>
  | ["publishAll", frames: Uint8Array]
  | ["snapshot", operation: number]
  | ["authenticated", question: number, answer: Auth, error?: string]
  /** Bytes that the page has taken so far: what it has not taken is bounded. */
  | ["taken", bytes: number]
  | ["ping"];

/** What the worker says through the port: a backend's events. */
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
