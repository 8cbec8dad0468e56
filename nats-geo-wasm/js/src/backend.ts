// Backend: what a connection needs from whoever holds the links, the engine in this realm or the service worker.

import type { ServerInfo, Snapshot, Status } from "../types/nats.js";

/** The engine's view, as the sync getters of a connection need it. */
export interface State {
  /** `host:port` of the live link, "" while nothing is live. */
  readonly server: string;
  readonly info: ServerInfo | undefined;
  /** Names of the regions, nearest first. */
  readonly regions: readonly string[];
  /** `host:port` of all known servers. */
  readonly servers: readonly string[];
  /** Prefix of inboxes: whoever joins a connection need not know its options. */
  readonly inboxPrefix?: string;
  /** The longest line that servers read, in bytes, when the options name it. */
  readonly maxControlLine?: number;
}

export const NO_STATE: State = { server: "", info: undefined, regions: [], servers: [] };

/** A notice as it crosses ports: plain data. */
export interface Notice {
  readonly type: Status["type"];
  /** Error number and text, for `type: "error"`. */
  readonly code?: number;
  readonly text?: string;
  /** The subscription that an error ended. */
  readonly sid?: number;
  readonly [detail: string]: unknown;
}

export interface BackendEvents {
  opened(): void;
  /** The end, for good; code 0 when it was asked for. */
  terminated(code: number, text?: string): void;
  /**
   * The backend has lost its memory: operations under way may have been executed, and subscriptions must be made again.
   * Whoever owns the subscriptions owns the truth about them.
   */
  forgotten(text: string): void;
  /** A batch of frames; the receiver owns the buffer. */
  deliver(frames: Uint8Array): void;
  completed(operation: number, code: number, text?: string, value?: number): void;
  notice(notice: Notice): void;
  state(state: State): void;
}

/** Operations and subscriptions are numbered by the caller; answers come through `BackendEvents`. */
export interface Backend {
  publish(subject: string, reply: string | undefined, headers: Uint8Array | undefined, payload: Uint8Array): void;
  subscribe(sid: number, subject: string, queue: string | undefined, max: number | undefined): void;
  unsubscribe(sid: number, max: number | undefined): void;
  drainSubscription(sid: number, operation: number): void;
  request(operation: number, subject: string, headers: Uint8Array | undefined, payload: Uint8Array, timeoutMs: number): void;
  cancelRequest(operation: number): void;
  flush(operation: number): void;
  rtt(operation: number): void;
  drain(operation: number): void;
  reconnect(): void;
  setServers(servers: string[]): void;
  snapshot(): Promise<Snapshot>;
  close(): void;
}
