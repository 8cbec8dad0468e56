/**
 * Declarations of connections, messages and subscriptions. Names and semantics follow `@nats-io/nats-core`, so you port
 * code by changing the import. Additions are marked "nats-geo".
 */

import type { Status } from "./status.js";

export * from "./errors.js";
export * from "./status.js";

/** Data of a message; strings are sent as UTF-8. */
export type Payload = Uint8Array | string;

/** Comparison of header names. */
export type HeaderMatch = "exact" | "canonical" | "insensitive";

/** Headers of a message. `headers()` makes them. */
export interface MsgHdrs extends Iterable<[string, string[]]> {
  /** True when the server reports an error by its status code (300 or more). */
  readonly hasError: boolean;
  /** Status code and description from the first line of the header block. */
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
  /** Returns whether there is a value. */
  has(name: string, match?: HeaderMatch): boolean;
  /** Replaces all values. Throws an `InvalidArgumentError` when name or value cannot be sent. */
  set(name: string, value: string, match?: HeaderMatch): void;
  /** Adds a value. Throws an `InvalidArgumentError` when name or value cannot be sent. */
  append(name: string, value: string, match?: HeaderMatch): void;
  /** Removes all values. */
  delete(name: string, match?: HeaderMatch): void;
  /** All names. */
  keys(): string[];
  /** The header block in the form that the client sends; "" when it is empty. */
  toString(): string;
}

/** A message. */
export interface Msg {
  readonly subject: string;
  /** Id of the subscription that received the message; 0 for the answer to a request. */
  readonly sid: number;
  /** Reply subject; "" when the sender wants no answer. */
  readonly reply?: string;
  readonly data: Uint8Array;
  readonly headers?: MsgHdrs;
  /** Publishes an answer to `reply`; returns false when there is no reply subject. */
  respond(payload?: Payload, options?: PublishOptions): boolean;
  /** The data parsed as JSON. */
  json<T = unknown>(reviver?: (key: string, value: any) => any): T;
  /** The data decoded as UTF-8. */
  string(): string;
}

export interface PublishOptions {
  /** Reply subject. */
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
   * Rule that ends the request: at `maxWait` ("timer", the default), after `maxMessages` answers ("count"), when no answer
   * came for `stall` milliseconds ("stall"), or after an empty answer ("sentinel"). Every request ends at `maxWait`.
   */
  strategy?: "timer" | "count" | "stall" | "sentinel";
  /** Milliseconds after which the request ends at the latest; the default is 1,000. */
  maxWait?: number;
  /** Number of answers after which the strategy "count" ends; other strategies ignore it. */
  maxMessages?: number;
  /** Milliseconds without an answer after which the strategy "stall" ends; the default is 300. */
  stall?: number;
  headers?: MsgHdrs;
}

/**
 * Handler of messages. It is called with each message. When the subscription ends with an error, the handler gets the error, and
 * a message without fields. If the handler returns a promise, a drain waits until the promise is settled.
 */
export type MsgCallback = (error: Error | null, message: Msg) => unknown;

export interface SubscriptionOptions {
  /** Name of the queue group; its members share the messages. */
  queue?: string;
  /** Ends the subscription after this many messages. */
  max?: number;
  /** Milliseconds within which the first message must come, else the subscription ends with a `TimeoutError`. */
  timeout?: number;
  /** Handler of the messages; without it the subscription is an async iterator. */
  callback?: MsgCallback;
  /** Number of waiting messages at which the client emits the status `slowConsumer`. */
  slow?: number;
  /**
   * nats-geo: bytes of messages that may wait in the iterator; the default is 64 MiB. At most 524,288 messages may wait. The
   * client drops further ones, counts them (`getDropped()`), and emits the status `slowConsumer`. Other subscriptions continue.
   */
  maxPendingBytes?: number;
}

/** A subscription. It continues when the client moves to another server or region, and when the service worker restarts. */
export interface Subscription extends AsyncIterable<Msg> {
  /** Resolves when the subscription has ended, with the error that ended it, if any. Never rejects. */
  readonly closed: Promise<void | Error>;
  /** Ends the subscription now, or after `max` messages counted from its start. */
  unsubscribe(max?: number): void;
  /** Ends the subscription when no more messages arrive and its handler has answered all requests; see `NatsConnection.drain`. */
  drain(): Promise<void>;
  isDraining(): boolean;
  isClosed(): boolean;
  getSubject(): string;
  /** Number of messages that arrived. */
  getReceived(): number;
  /** Number of messages that the application has taken. */
  getProcessed(): number;
  /** Number of messages that wait in the iterator. */
  getPending(): number;
  /** nats-geo: number of messages that the client dropped because too many waited. */
  getDropped(): number;
  getID(): number;
  getMax(): number | undefined;
  [Symbol.asyncDispose](): Promise<void>;
}

/** INFO: the server's description of itself. */
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
  /** nats-geo: number of received messages with headers that the client could not read, at least in part. */
  readonly unreadable: number;
}

/** A region in the ranking (nats-geo). */
export interface RegionSnapshot {
  readonly region: string;
  /** Round-trip time that decides the rank of the region; undefined until the client has measured it. */
  readonly rttMs?: number;
  /** Reason for the rank of the region. */
  readonly reason: RankReason;
  /** Additional round-trip time, compared with the nearest region, when the reason is "tied" or "farther". */
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

/** Reason for the rank of a region or server (nats-geo). */
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

/** The ranking and the active server (nats-geo). */
export interface Snapshot {
  /** `host:port` of the active server; undefined while the client is offline. */
  readonly live?: string;
  /** Region of the active server. */
  readonly liveRegion?: string;
  /** `host:port` of the warm standby, when there is one. */
  readonly standby?: string;
  /** Whether the client suspects the active link, because a PING is overdue. */
  readonly suspect: boolean;
  /** Regions, best first. */
  readonly regions: readonly RegionSnapshot[];
  /**
   * Counters of publishes: `discarded` (certainly lost), `unconfirmed` (may or may not have arrived), `resent` (sent a second
   * time), and `denied` (a server did not permit them). `moves` counts moves between links.
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
  /** INFO of the active server; undefined while the client is offline. */
  readonly info?: ServerInfo;
  /** nats-geo: "worker" if a service worker holds the connection, "page" if this page or worker holds it. */
  readonly mode: "worker" | "page";
  /** nats-geo: prefix of the reply subjects, for `createInbox()`; undefined for the default. */
  readonly inboxPrefix?: string;
  /** nats-geo: names of the known regions, in the order of the ranking. */
  readonly regions: readonly string[];
  /** nats-geo: returns the ranking of regions and servers, with the reason for each rank. */
  snapshot(): Promise<Snapshot>;
  publish(subject: string, payload?: Payload, options?: PublishOptions): void;
  publishMessage(message: Pick<Msg, "subject" | "data" | "reply" | "headers">): void;
  respondMessage(message: Pick<Msg, "data" | "reply" | "headers">): boolean;
  subscribe(subject: string, options?: SubscriptionOptions): Subscription;
  /**
   * Sends a request and resolves with its answer. Fails with a `TimeoutError`, with a `RequestError` whose cause is a
   * `NoRespondersError`, or with a `LinkLostError` when the link was lost. After a lost link, the request may have been
   * executed. The client never sends a request twice.
   */
  request(subject: string, payload?: Payload, options?: RequestOptions): Promise<Msg>;
  requestMany(subject: string, payload?: Payload, options?: RequestManyOptions): Promise<AsyncIterable<Msg>>;
  /** Resolves when the server has received all messages that were published before. */
  flush(): Promise<void>;
  /**
   * Ends the subscriptions in order, waits for answers to requests, sends waiting messages, then closes. The drain waits for
   * handlers: for a callback until its promise is settled, and for a reader of an iterator until it takes the next message. After
   * `drainTimeout` the drain fails with a `TimeoutError`, and the connection closes.
   */
  drain(): Promise<void>;
  close(): Promise<void>;
  /** Resolves when the connection has ended, with the error that ended it, if any. Never rejects. */
  closed(): Promise<void | Error>;
  isClosed(): boolean;
  isDraining(): boolean;
  /** `host:port` of the active server, "" while the client is offline. */
  getServer(): string;
  /** Iterates over the events of the connection. Every call returns an iterator of its own. */
  status(): AsyncIterable<Status>;
  stats(): Stats;
  /** Measures a round trip to the server, in milliseconds. */
  rtt(): Promise<number>;
  /** Chooses the server again, and moves if another server ranks first. */
  reconnect(): Promise<void>;
  /** Replaces the list of servers; the active link stays until `reconnect()`. */
  setServers(servers: string[]): void;
  getServers(): readonly Server[];
  [Symbol.asyncDispose](): Promise<void>;
}

/** Credentials that an authenticator returns. */
export type Auth =
  | void
  | { auth_token: string }
  | { user: string; pass?: string }
  | { nkey: string; sig: string; jwt?: string }
  | { jwt: string; nkey?: string; sig?: string };

/** Returns the credentials each time the client opens a link; `nonce` is the server's challenge, when it sent one. */
export interface Authenticator {
  (nonce?: string): Auth | Promise<Auth>;
}

/** Public key and non-extractable signing key. A page can post them to workers and store them in IndexedDB; nothing can read the seed. */
export interface NkeyCredentials {
  readonly nkey: string;
  readonly key: CryptoKey;
  /** The user JWT, if there is one. */
  readonly jwt?: string;
}

/**
 * nats-geo accepts and ignores these options of nats-core (`reconnect`, `maxReconnectAttempts`, `reconnectTimeWait`,
 * `reconnectJitter`, `reconnectJitterTLS`, `pingInterval`, `maxPingOut`, `noRandomize`, `ignoreAuthErrorAbort`,
 * `noAsyncTraces`, `resolve`, `debug`, `verbose`, `pedantic`, `tls: null`). Options that contradict the client's own decisions
 * fail with an `InvalidArgumentError`.
 */
export interface ConnectionOptions {
  /** "wss://host:port", "lon=wss://host:port" (labels the region), or "host:port" (`wss` on an `https` page, else `ws`). */
  servers?: string | string[];
  name?: string;
  user?: string;
  pass?: string;
  token?: string;
  authenticator?: Authenticator | Authenticator[];
  /** nats-geo: a key imported by `importNkey` or `importCredentials`; it can be posted to the service worker. */
  credentials?: NkeyCredentials;
  /** Milliseconds within which the first link must be open. They include the start of engine and service worker. The default is 20,000. */
  timeout?: number;
  /** Waits for the first link without a time limit: `timeout` and refused credentials do not end the attempt. */
  waitOnFirstConnect?: boolean;
  /**
   * nats-geo: `connect` resolves at once, and the client waits for the first link as with `waitOnFirstConnect`. Until then, the
   * client is offline: subscriptions wait for the link, publishes wait for `publishWait`, and requests wait for their `timeout`.
   */
  backgroundConnect?: boolean;
  noEcho?: boolean;
  inboxPrefix?: string;
  ignoreClusterUpdates?: boolean;
  /** nats-geo: "fleet" (the default: many clients of one kind) or "interactive" (moves without spreading). */
  preset?: "fleet" | "interactive";
  /** nats-geo: keeps a second connection open to the next region, so that a move needs no dial. */
  warmStandby?: boolean;
  /**
   * nats-geo: milliseconds that a publish may wait for a link while the client is offline; the default is 5,000. The client
   * drops older publishes, and emits the status `discarded`. At most 8 MiB of publishes wait; `publish` refuses further ones.
   */
  publishWait?: number;
  /** nats-geo: milliseconds that a drain waits for messages and requests under way; the default is 30,000. */
  drainTimeout?: number;
  /**
   * nats-geo: the longest protocol line that servers read, in bytes (`max_control_line` of the servers). The default is 4,096,
   * the default of nats-server. The client refuses a subject, reply subject or queue that makes a longer line, because a server
   * closes the connection when it reads such a line.
   */
  maxControlLine?: number;
  /** nats-geo: prevents duplicates during planned moves, but may lose messages. */
  atMostOnce?: boolean;
  /** nats-geo: fields of the configuration, with their names from the Rust documentation; durations in milliseconds. */
  config?: Record<string, unknown>;
  /** nats-geo: seed of all random choices, for tests. */
  seed?: number;
  /** This option and the following ones have no effect: the client accepts them so that code for nats-core works. */
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
/** Returns a subject that no other client uses. */
export function createInbox(prefix?: string): string;
export function usernamePasswordAuthenticator(user: string | (() => string), pass?: string | (() => string)): Authenticator;
export function tokenAuthenticator(token: string | (() => string)): Authenticator;
export function nkeyAuthenticator(seed: Uint8Array | string): Authenticator;
export function jwtAuthenticator(jwt: string | (() => string), seed?: Uint8Array | string): Authenticator;
/** Returns an authenticator from `creds`, the content of a `.creds` file. */
export function credsAuthenticator(creds: Uint8Array | string): Authenticator;
/** Imports a user seed ("SU...") as a non-extractable key. */
export function importNkey(seed: Uint8Array | string, jwt?: string): Promise<NkeyCredentials>;
/** Imports the content of a `.creds` file. */
export function importCredentials(creds: Uint8Array | string): Promise<NkeyCredentials>;
