// Types of the Rust engine's surface, as nats-geo-wasm exports it.

import type { Auth, RankReason, ServerInfo } from "../../types/nats.js";
import type { Notice } from "../backend.ts";
import type { EngineOptions } from "../options.ts";

/** A hint of the page about its network or visibility. The engine verifies each hint. */
export type Hint = "online" | "offline" | "visible" | "hidden" | "resumed";

/** The callbacks of the engine. The engine calls them only after its own methods have returned. */
export interface EngineSink {
  opened(): void;
  closed(code: number, text?: string): void;
  /** The bytes are in the memory of the engine, so the callee must copy them at once. */
  deliver(frames: Uint8Array): void;
  completed(operation: number, code: number, text?: string, value?: number): void;
  notice(notice: Notice & { at_ms?: number }): void;
  authenticate(link: number, nonce: string | undefined): void;
}

export interface Engine {
  connect(): void;
  publish(subject: string, reply: string | undefined, headers: Uint8Array | undefined, payload: Uint8Array): void;
  subscribe(sid: number, subject: string, queue?: string, max?: number): void;
  unsubscribe(sid: number, max?: number): void;
  drainSubscription(sid: number, operation: number): void;
  request(operation: number, subject: string, headers: Uint8Array | undefined, payload: Uint8Array, timeoutMs: number): void;
  cancelRequest(operation: number): void;
  flush(operation: number): void;
  rtt(operation: number): void;
  drain(operation: number): void;
  hint(kind: Hint): void;
  authenticated(link: number, credentials: Exclude<Auth, void> | undefined, error?: string): void;
  setServers(servers: string[]): void;
  reconnect(): void;
  stats(): EngineStats;
  snapshot(): EngineSnapshot;
  info(): ServerInfo | undefined;
  memory(): object;
  close(): void;
  free(): void;
}

export interface EngineStats {
  readonly discarded: number;
  readonly unconfirmed: number;
  readonly resent: number;
  readonly denied: number;
  readonly moves: number;
}

export interface EngineSnapshot {
  readonly live?: EngineServer;
  readonly standby?: EngineServer;
  readonly suspect: boolean;
  readonly regions: readonly {
    readonly name: string;
    readonly rtt_ms?: number;
    readonly reason: RankReason;
    readonly behind_ms?: number;
    readonly servers: readonly { readonly address: string; readonly name?: string; readonly rtt_ms?: number; readonly reason: RankReason; readonly behind_ms?: number }[];
  }[];
}

/** The server that a link leads to. */
export interface EngineServer {
  readonly region: string;
  readonly address: string;
  readonly server?: string;
}

export interface EngineConstructor {
  new (options: EngineOptions, sink: EngineSink): Engine;
}
