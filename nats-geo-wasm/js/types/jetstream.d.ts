/** JetStream publishing, key-value stores and object reads: requests and pulls over any `NatsConnection`. */
import type { Msg, MsgHdrs, NatsConnection, Payload } from "./nats.js";

export interface JetStreamOptions {
  /**
   * JetStream domain, such as that of a hub behind a leaf node. The default is the domain of the server that the client is
   * connected to. Throws an `InvalidArgumentError` if the name is empty, or has dots, white space, `*` or `>`.
   */
  domain?: string;
  /** Prefix of the API's subjects; the default is "$JS.API". It has no effect if `domain` is set. */
  apiPrefix?: string;
  /** Milliseconds per request; the default is 5,000. */
  timeout?: number;
}

export interface PubAck {
  readonly stream: string;
  readonly seq: number;
  readonly duplicate: boolean;
  readonly domain?: string;
}

export interface JetStreamPublishOptions {
  /** Message id. The stream stores one message with this id in its duplicate window, so the client can resend an unanswered publish. */
  msgID?: string;
  /** Milliseconds per try; the default is the `timeout` of `JetStreamOptions`. */
  timeout?: number;
  /** Number of further tries after the first one; the default is 2. */
  retries?: number;
  headers?: MsgHdrs;
  expect?: Partial<{
    lastMsgID: string;
    streamName: string;
    lastSequence: number;
    lastSubjectSequence: number;
    lastSubjectSequenceSubject: string;
  }>;
}

export interface JetStreamClient {
  readonly nc: NatsConnection;
  /** Resolves when the stream has stored the message. */
  publish(subject: string, payload?: Payload, options?: JetStreamPublishOptions): Promise<PubAck>;
}
/**
 * Returns a client of JetStream. With a `domain`, it sends requests to `$JS.<domain>.API`. It sends a publish to the message's own
 * subject; `PubAck.domain` names the domain that stored the message.
 */
export function jetstream(nc: NatsConnection, options?: JetStreamOptions): JetStreamClient;

export interface KvEntry {
  readonly bucket: string;
  readonly key: string;
  readonly value: Uint8Array;
  readonly revision: number;
  readonly created: Date;
  /** Number of entries that follow this one in a watch. */
  readonly delta?: number;
  readonly operation: "PUT" | "DEL" | "PURGE";
  readonly length: number;
  string(): string;
  json<T = unknown>(): T;
}

export interface KvWatchOptions {
  /** Key or keys to watch, with wildcards; the default is all keys. */
  key?: string | string[];
  /** Values that the watch begins with: the last one of each key (the default), the whole history, or none. */
  include?: "last" | "history" | "updates";
  ignoreDeletes?: boolean;
  /** Leaves the values out. */
  headersOnly?: boolean;
  /** Called once, after all values that existed at the start. */
  initialized?: () => void;
}

/** An async iterator that can be stopped. */
export interface Pulled<T> extends AsyncIterableIterator<T> {
  stop(): void;
}

export interface KV {
  readonly bucket: string;
  /** The last entry of the key, or null when there is none. The entry of a deleted key has the operation "DEL" or "PURGE". */
  get(key: string, options?: { revision?: number }): Promise<KvEntry | null>;
  /** Sets the value, and resolves with its revision. */
  put(key: string, value: Payload, options?: { previousSeq?: number }): Promise<number>;
  /** Fails with a `JetStreamApiError` (code `WRONG_LAST_SEQUENCE`) when the key has a value. */
  create(key: string, value: Payload): Promise<number>;
  /** Fails with a `JetStreamApiError` (code `WRONG_LAST_SEQUENCE`) when the key has another revision. */
  update(key: string, value: Payload, revision: number): Promise<number>;
  delete(key: string, options?: { previousSeq?: number }): Promise<void>;
  /** Deletes the key and its history. */
  purge(key: string, options?: { previousSeq?: number }): Promise<void>;
  watch(options?: KvWatchOptions): Promise<Pulled<KvEntry>>;
  history(options?: { key?: string | string[] }): Promise<Pulled<KvEntry>>;
  keys(filter?: string | string[]): Promise<Pulled<string>>;
}

/** Opens key-value stores. */
export class Kvm {
  /** Takes a connection with `options`, or a client that `jetstream` returned. With such a client, the stores are in its domain. */
  constructor(nc: NatsConnection | JetStreamClient, options?: JetStreamOptions);
  /** Fails with a `JetStreamApiError` (code `NOT_FOUND`) when the bucket does not exist. */
  open(bucket: string): Promise<KV>;
}

export interface ObjectInfo {
  readonly name: string;
  readonly bucket: string;
  readonly nuid: string;
  readonly size: number;
  readonly chunks: number;
  readonly digest: string;
  readonly deleted: boolean;
  readonly mtime: string;
  readonly revision: number;
  readonly description: string;
  readonly headers?: MsgHdrs;
  readonly metadata: Record<string, string>;
  readonly options?: { link?: { bucket: string; name?: string }; max_chunk_size?: number };
}

/** Range of bytes from `start` to `end`; both ends are included. */
export interface ByteRange {
  start: number;
  end: number;
}

export interface ObjectResult {
  readonly info: ObjectInfo;
  /** The bytes. The client fetches the chunks while the application reads; `cancel()` stops the read. */
  readonly data: ReadableStream<Uint8Array>;
  /** Resolves with the error that ended `data`, or with null. */
  readonly error: Promise<Error | null>;
}

export interface ObjectStore {
  readonly bucket: string;
  info(name: string): Promise<ObjectInfo | null>;
  list(): Promise<ObjectInfo[]>;
  /** Reads the whole object and checks its digest at the end, or reads only `range`. Resolves with null when there is no such object. */
  get(name: string, options?: { range?: ByteRange }): Promise<ObjectResult | null>;
  /** Reads the data of an object whose info you have. */
  read(info: ObjectInfo, range?: ByteRange): ObjectResult;
  getBlob(name: string, options?: { range?: ByteRange }): Promise<Uint8Array | null>;
}

/** Opens object stores. */
export class Objm {
  /** Takes a connection with `options`, or a client that `jetstream` returned. With such a client, the stores are in its domain. */
  constructor(nc: NatsConnection | JetStreamClient, options?: JetStreamOptions);
  /** Fails with a `JetStreamApiError` (code `NOT_FOUND`) when the object store does not exist. */
  open(bucket: string): Promise<ObjectStore>;
}
export type { Msg };
