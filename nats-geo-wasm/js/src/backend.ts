// Backend: what a connection needs from whoever holds the links, the engine in this realm or the service worker.

import type { ServerInfo, Snapshot, Status } from "../types/nats.js";

/** The state that a backend reports, for the synchronous getters of a connection. */
export interface State {
  /** `host:port` of the live link, "" while nothing is live. */
  readonly server: string;
  readonly info: ServerInfo | undefined;
  /** Names of the regions, in the order of the ranking. */
  readonly regions: readonly string[];
  /** `host:port` of all known servers. */
  readonly servers: readonly string[];
  /** Prefix of inboxes, for a client that joins a connection without its options. */
  readonly inboxPrefix?: string;
  /** Length of the longest protocol line that servers accept, in bytes, if the options set it. */
  readonly maxControlLine?: number;
}

export const NO_STATE: State = { server: "", info: undefined, regions: [], servers: [] };

/** A notice as plain data, which can pass through ports. */
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
  /** The connection has ended, and does not connect again. `code` is 0 if the application ended it. */
  terminated(code: number, text?: string): void;
  /**
   * The backend has lost its state. Operations in progress may have been executed. The connection must subscribe again,
   * because only the connection still knows its subscriptions.
   */
  forgotten(text: string): void;
  /** A batch of frames; the receiver owns the buffer. */
  deliver(frames: Uint8Array): void;
  completed(operation: number, code: number, text?: string, value?: number): void;
  notice(notice: Notice): void;
  state(state: State): void;
}

/** The interface of a backend. The caller numbers operations and subscriptions; answers arrive through `BackendEvents`. */
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
