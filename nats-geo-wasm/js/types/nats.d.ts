/**
 * Declarations of connections, messages and subscriptions. Names and semantics follow `@nats-io/nats-core`, so you port
 * code by changing the import. Additions are marked "nats-geo".
 */

import type { Status } from "./status.js";

export * from "./errors.js";
export * from "./status.js";

/** Data of a message; strings are sent as UTF-8. */
export type Payload = Uint8Array | string;

/** How header names are compared. */
export type HeaderMatch = "exact" | "canonical" | "insensitive";

/** Headers of a message. Made by `headers()`. */
export interface MsgHdrs extends Iterable<[string, string[]]> {
  /** True when the server reports an error by its status code (300 or more). */
  readonly hasError: boolean;
  /** Code and description, as in the first line of the header block. */
  readonly status: string;
  /** Status code, 0 when there is none. */
  readonly code: number;
  /** The server's text for the status code. */
  readonly description: string;
  /** First value, or "" when there is none. */
  get(name: string, match?: HeaderMatch): string;
  /** Last value, or "" when there is none. */
  last(name: string, match?: HeaderMatch): string;
  /** All values. */
  values(name: string, match?: HeaderMatch): string[];
  /** Whether there is a value. */
  has(name: string, match?: HeaderMatch): boolean;
  /** Replaces all values. Throws an `InvalidArgumentError` when name or value cannot be sent. */
  set(name: string, value: string, match?: HeaderMatch): void;
  /** Adds a value. Throws an `InvalidArgumentError` when name or value cannot be sent. */
  append(name: string, value: string, match?: HeaderMatch): void;
  /** Removes all values. */
  delete(name: string, match?: HeaderMatch): void;
  /** All names. */
  keys(): string[];
  /** The header block as it is sent; "" when there is nothing in it. */
  toString(): string;
}

/** A message. */
export interface Msg {
  readonly subject: string;
  /** The subscription it was delivered to; 0 for the answer to a request. */
  readonly sid: number;
  /** Where an answer goes; "" when none is wanted. */
  readonly reply?: string;
  readonly data: Uint8Array;
  readonly headers?: MsgHdrs;
  /** Publishes to `reply`; false when there is none. */
  respond(payload?: Payload, options?: PublishOptions): boolean;
  /** The data parsed as JSON. */
  json<T = unknown>(reviver?: (key: string, value: any) => any): T;
  /** The data decoded as UTF-8. */
  string(): string;
}

export interface PublishOptions {
  /** Where answers go. */
  reply?: string;
  headers?: MsgHdrs;
}

export interface RequestOptions {
  /** Milliseconds until the request fails with a `TimeoutError`; the default is 20,000. */
  timeout?: number;
  headers?: MsgHdrs;
}

export interface RequestManyOptions {
  /**
   * When the last answer has come: at `maxWait` ("timer", the default), after `maxMessages` ("count"), when no answer
   * came for `stall` milliseconds ("stall"), or with an empty answer ("sentinel"). All of them end at `maxWait`.
   */
  strategy?: "timer" | "count" | "stall" | "sentinel";
  /** Milliseconds; the default is 1,000. */
  maxWait?: number;
  /** Answers that end a "count"; other strategies ignore it. */
  maxMessages?: number;
  /** Milliseconds without an answer that end a "stall"; the default is 300. */
  stall?: number;
  headers?: MsgHdrs;
}

/**
 * Takes a message, or the error that ended the subscription; the message then has no fields. While a promise that it returns is
 * pending, a drain waits for the answer to the message.
 */
export type MsgCallback = (error: Error | null, message: Msg) => unknown;

export interface SubscriptionOptions {
  /** Members of a queue share its messages. */
  queue?: string;
  /** Ends the subscription after this many messages. */
  max?: number;
  /** Milliseconds within which the first message must come, else the subscription ends with a `TimeoutError`. */
  timeout?: number;
  /** Takes the messages; without it the subscription is an async iterator. */
  callback?: MsgCallback;
  /** Number of waiting messages from which a `slowConsumer` status is emitted. */
  slow?: number;
  /**
   * nats-geo: bytes that may wait in the iterator; the default is 64 MiB. Messages beyond that, or beyond 524,288 of them,
   * are dropped and counted (`getDropped()`), and a `slowConsumer` status says so. Other subscriptions go on.
   */
  maxPendingBytes?: number;
}

/** Interest in a subject. Survives moves between servers and regions, and restarts of the service worker. */
export interface Subscription extends AsyncIterable<Msg> {
  /** Resolves when the subscription has ended, with the error that ended it, if any. Never rejects. */
  readonly closed: Promise<void | Error>;
  /** Ends now, or after `max` messages counted from the subscription's start. */
  unsubscribe(max?: number): void;
  /** Ends when nothing more comes in, and requests that its handler works on are answered; see the connection's `drain`. */
  drain(): Promise<void>;
  isDraining(): boolean;
  isClosed(): boolean;
  getSubject(): string;
  /** Messages that came in. */
  getReceived(): number;
  /** Messages that were handed over. */
  getProcessed(): number;
  /** Messages waiting to be taken from the iterator. */
  getPending(): number;
  /** nats-geo: messages that were dropped because too many waited. */
  getDropped(): number;
  getID(): number;
  getMax(): number | undefined;
  [Symbol.asyncDispose](): Promise<void>;
}

/** INFO: the description that the server sends of itself. */
export interface ServerInfo {
  readonly server_id: string;
  readonly server_name: string;
  readonly version: string;
  readonly cluster?: string;
  readonly host?: string;
  readonly port?: number;
  readonly max_payload: number;
  readonly client_id?: number;
  readonly client_ip?: string;
  readonly headers?: boolean;
  readonly jetstream?: boolean;
  readonly ldm?: boolean;
  readonly nonce?: string;
  readonly connect_urls?: string[];
  readonly proto?: number;
  readonly auth_required?: boolean;
  readonly tls_required?: boolean;
  readonly tls_available?: boolean;
  readonly api_lvl?: number;
}

/** Counters of a connection. */
export interface Stats {
  readonly inMsgs: number;
  readonly outMsgs: number;
  readonly inBytes: number;
  readonly outBytes: number;
  /** nats-geo: messages with headers that the client could not read, or not all of them. */
  readonly unreadable: number;
}

/** A region in the ranking (nats-geo). */
export interface RegionSnapshot {
  readonly region: string;
  /** Base round-trip time that ranks it; undefined until measured. */
  readonly rttMs?: number;
  /** Why it stands at this place. */
  readonly reason: RankReason;
  /** How far behind the nearest region, when it is tied or farther. */
  readonly behindMs?: number;
  readonly servers: readonly ServerSnapshot[];
}

/** A server of a region (nats-geo). */
export interface ServerSnapshot {
  readonly address: string;
  readonly server?: string;
  readonly rttMs?: number;
  readonly reason: RankReason;
  readonly behindMs?: number;
}

/** Why a region or server stands where it stands (nats-geo). */
export type RankReason =
  | "nearest"
  | "connected"
  | "tied"
  | "farther"
  | "damped"
  | "credentialsRefused"
  | "unhealthy"
  | "lameDuck"
  | "unmeasured";

/** The ranking and where traffic goes (nats-geo). */
export interface Snapshot {
  /** `host:port` of the live link; undefined while nothing is live. */
  readonly live?: string;
  /** Region of the live link. */
  readonly liveRegion?: string;
  /** `host:port` of the warm standby, when there is one. */
  readonly standby?: string;
  /** Whether the live link is silent for suspiciously long. */
  readonly suspect: boolean;
  /** Best first. */
  readonly regions: readonly RegionSnapshot[];
  /**
   * Counters of publishes: `discarded` are lost, `unconfirmed` may or may not have arrived, `resent` went out once more, and
   * a server refused the `denied` ones. `moves` counts moves between links.
   */
  readonly discarded: number;
  readonly unconfirmed: number;
  readonly resent: number;
  readonly denied: number;
  readonly moves: number;
}

/** An entry of `getServers()`. */
export interface Server {
  readonly hostname: string;
  readonly port: number;
  readonly listen: string;
}

/** A connection to the nearest healthy region. */
export interface NatsConnection {
  /** The server of the live link; undefined while nothing is live. */
  readonly info?: ServerInfo;
  /** nats-geo: whether a service worker or this page (or worker) itself holds the connection. */
  readonly mode: "worker" | "page";
  /** nats-geo: what the subjects of answers begin with, for `createInbox()`; undefined for the default. */
  readonly inboxPrefix?: string;
  /** nats-geo: names of the known regions, nearest first. */
  readonly regions: readonly string[];
  /** nats-geo: the ranking with reasons. */
  snapshot(): Promise<Snapshot>;
  publish(subject: string, payload?: Payload, options?: PublishOptions): void;
  publishMessage(message: Pick<Msg, "subject" | "data" | "reply" | "headers">): void;
  respondMessage(message: Pick<Msg, "data" | "reply" | "headers">): boolean;
  subscribe(subject: string, options?: SubscriptionOptions): Subscription;
  /**
   * One answer. Fails with a `TimeoutError`, with a `RequestError` whose cause is a `NoRespondersError`, or with a
   * `LinkLostError` when the link was lost and the request may have been executed. It is never sent twice.
   */
  request(subject: string, payload?: Payload, options?: RequestOptions): Promise<Msg>;
  requestMany(subject: string, payload?: Payload, options?: RequestManyOptions): Promise<AsyncIterable<Msg>>;
  /** Resolves when the server has everything published before. */
  flush(): Promise<void>;
  /**
   * Ends the subscriptions in order, waits for answers to requests, sends what waits, then closes. Requests that handlers
   * work on are answered first: those of a callback that returns a promise, and of a reader of an iterator until it asks for
   * the next message. All of it takes at most `drainTimeout`, then it fails with a `TimeoutError` and closes.
   */
  drain(): Promise<void>;
  close(): Promise<void>;
  /** Resolves when the connection has ended, with the error that ended it, if any. Never rejects. */
  closed(): Promise<void | Error>;
  isClosed(): boolean;
  isDraining(): boolean;
  /** `host:port` of the live link, "" while nothing is live. */
  getServer(): string;
  /** Every call returns an iterator of its own. */
  status(): AsyncIterable<Status>;
  stats(): Stats;
  /** Milliseconds of a round trip to the server. */
  rtt(): Promise<number>;
  /** Chooses the server again, and moves there if it is another one. */
  reconnect(): Promise<void>;
  /** Replaces the servers; the live link stays until `reconnect()`. */
  setServers(servers: string[]): void;
  getServers(): readonly Server[];
  [Symbol.asyncDispose](): Promise<void>;
}

/** Answer to a server's challenge. */
export type Auth =
  | void
  | { auth_token: string }
  | { user: string; pass?: string }
  | { nkey: string; sig: string; jwt?: string }
  | { jwt: string; nkey?: string; sig?: string };

/** Gives credentials whenever a link is opened; `nonce` is the server's challenge, when it sent one. */
export interface Authenticator {
  (nonce?: string): Auth | Promise<Auth>;
}

/** Public key and non-extractable signing key. Can be posted to workers and kept in IndexedDB; the seed is gone. */
export interface NkeyCredentials {
  readonly nkey: string;
  readonly key: CryptoKey;
  /** With a user JWT. */
  readonly jwt?: string;
}

/**
 * Options of nats-core that nats-geo decides by itself (`reconnect`, `maxReconnectAttempts`, `reconnectTimeWait`,
 * `reconnectJitter`, `reconnectJitterTLS`, `pingInterval`, `maxPingOut`, `noRandomize`, `ignoreAuthErrorAbort`,
 * `noAsyncTraces`, `resolve`, `debug`, `verbose`, `pedantic`, `tls: null`) may be left in
 * place and change nothing. Those that would take the decision away from it are refused with an `InvalidArgumentError`.
 */
export interface ConnectionOptions {
  /** "wss://host:port", "lon=wss://host:port" (labels the region), or "host:port" (the page's own security). */
  servers?: string | string[];
  name?: string;
  user?: string;
  pass?: string;
  token?: string;
  authenticator?: Authenticator | Authenticator[];
  /** nats-geo: a key imported by `importNkey` or `importCredentials`; it can be posted to the service worker. */
  credentials?: NkeyCredentials;
  /** Milliseconds within which the first link must be live, loading and service worker included; the default is 20,000. */
  timeout?: number;
  /** Waits for the first link for as long as it takes: `timeout` and refused credentials do not end the attempt. */
  waitOnFirstConnect?: boolean;
  /**
   * nats-geo: as `waitOnFirstConnect`, but `connect` returns at once. Until the first link is live the connection is as while it
   * is offline: subscriptions wait for it; publishes and requests wait for `publishWait` and their own limits.
   */
  backgroundConnect?: boolean;
  noEcho?: boolean;
  inboxPrefix?: string;
  ignoreClusterUpdates?: boolean;
  /** nats-geo: "fleet" (the default: many clients of one kind) or "interactive" (moves without spreading). */
  preset?: "fleet" | "interactive";
  /** nats-geo: one more connection, to the next region, so that a move costs no dial. */
  warmStandby?: boolean;
  /** nats-geo: how long publishing may wait for a live link, in milliseconds. */
  publishWait?: number;
  /** nats-geo: how long a drain waits for what is under way, in milliseconds; the default is 30,000. */
  drainTimeout?: number;
  /**
   * nats-geo: the longest protocol line that servers read, in bytes: their `max_control_line`. The default is 4,096, as
   * theirs. A subject, reply subject or queue that makes a longer line is refused at the call, because a server closes the
   * connection for it.
   */
  maxControlLine?: number;
  /** nats-geo: forbids doubles during planned moves, at the price of losses. */
  atMostOnce?: boolean;
  /** nats-geo: single fields of the policy, by their names in the Rust documentation; durations in milliseconds. */
  config?: Record<string, unknown>;
  /** nats-geo: seed of all random choices, for tests. */
  seed?: number;
  /** Accepted for nats-core's sake, without effect; see above. */
  reconnect?: boolean;
  maxReconnectAttempts?: number;
  reconnectTimeWait?: number;
  reconnectJitter?: number;
  reconnectJitterTLS?: number;
  pingInterval?: number;
  maxPingOut?: number;
  noRandomize?: boolean;
  ignoreAuthErrorAbort?: boolean;
  noAsyncTraces?: boolean;
  resolve?: boolean;
  debug?: boolean;
  verbose?: boolean;
  pedantic?: boolean;
  tls?: null;
}

/** Version of this package. */
export const version: string;
export function headers(code?: number, description?: string): MsgHdrs;
/** A subject that nobody else uses. */
export function createInbox(prefix?: string): string;
export function usernamePasswordAuthenticator(user: string | (() => string), pass?: string | (() => string)): Authenticator;
export function tokenAuthenticator(token: string | (() => string)): Authenticator;
export function nkeyAuthenticator(seed: Uint8Array | string): Authenticator;
export function jwtAuthenticator(jwt: string | (() => string), seed?: Uint8Array | string): Authenticator;
/** `creds`: content of a `.creds` file. */
export function credsAuthenticator(creds: Uint8Array | string): Authenticator;
/** Imports a user seed ("SU...") as a non-extractable key. */
export function importNkey(seed: Uint8Array | string, jwt?: string): Promise<NkeyCredentials>;
/** Imports the content of a `.creds` file. */
export function importCredentials(creds: Uint8Array | string): Promise<NkeyCredentials>;
