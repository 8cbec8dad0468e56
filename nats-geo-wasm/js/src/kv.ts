// Key-value stores: the conventions of NATS KV over JetStream.

import type { JetStreamClient, JetStreamOptions, KV, KvEntry, KvWatchOptions, Pulled } from "../types/jetstream.js";
import type { Msg, MsgHdrs, NatsConnection, Payload } from "../types/nats.js";
import { InvalidArgumentError, JetStreamApiError, RequestError } from "./errors.ts";
import { decodeHeaders, headers } from "./headers.ts";
import { API_PREFIX, apiOf, type JetStreamApi } from "./jetstream.ts";
import { pull, type StreamMessage } from "./pull.ts";

const OPERATION = "KV-Operation";
const decoder = new TextDecoder();

export class Kvm {
  #api: JetStreamApi;

  constructor(nc: NatsConnection | JetStreamClient, options?: JetStreamOptions) {
    this.#api = apiOf(nc, options);
  }

  async open(bucket: string): Promise<KV> {
    checkBucket(bucket);
    const stream = `KV_${bucket}`;
    const { config } = await this.#api.call<{ config: StoreConfig }>(`STREAM.INFO.${stream}`);
    return new Bucket(this.#api, bucket, config);
  }
}

interface StoreConfig {
  readonly allow_direct?: boolean;
  readonly mirror?: { readonly name: string; readonly external?: { readonly api: string } };
}

class Bucket implements KV {
  readonly bucket: string;
  #api: JetStreamApi;
  #stream: string;
  #isDirect: boolean;
  /** The bucket that the subjects name: a mirror's are those of its origin. */
  #origin: string;
  /** Where writes go through, when the bucket is in another domain or account; with a dot at its end. */
  #outside: string;

  constructor(api: JetStreamApi, bucket: string, { allow_direct: isDirect = false, mirror }: StoreConfig) {
    this.#api = api;
    this.bucket = bucket;
    this.#stream = `KV_${bucket}`;
    this.#isDirect = isDirect;
    this.#origin = mirror?.name.replace(/^KV_/, "") ?? bucket;
    const through = mirror?.external?.api || api.prefix;
    this.#outside = through === API_PREFIX ? "" : `${through}.`;
  }

  async get(key: string, options: { revision?: number } = {}): Promise<KvEntry | null> {
    const subject = this.#subject(key);
    const { revision } = options;
    const entry = this.#isDirect ? await this.#getDirect(subject, revision) : await this.#getStored(subject, revision);
    // A revision may be another key's.
    return entry?.key === key ? entry : null;
  }

  async put(key: string, value: Payload, options: { previousSeq?: number } = {}): Promise<number> {
    return this.#write(key, value, undefined, options.previousSeq);
  }

  async create(key: string, value: Payload): Promise<number> {
    try {
      return await this.#write(key, value, undefined, 0);
    } catch (error) {
      const isTaken = error instanceof JetStreamApiError && error.code === "WRONG_LAST_SEQUENCE";
      const last = isTaken ? await this.get(key) : null;
      // A deleted key may be created again; its marker is what stood in the way.
      if (!last || last.operation === "PUT") throw error;
      return this.#write(key, value, undefined, last.revision);
    }
  }

  async update(key: string, value: Payload, revision: number): Promise<number> {
    if (!(revision > 0)) throw new InvalidArgumentError(`revision is ${revision}: update needs the current revision of the key`);
    return this.#write(key, value, undefined, revision);
  }

  async delete(key: string, options: { previousSeq?: number } = {}): Promise<void> {
    await this.#write(key, undefined, "DEL", options.previousSeq);
  }

  async purge(key: string, options: { previousSeq?: number } = {}): Promise<void> {
    await this.#write(key, undefined, "PURGE", options.previousSeq);
  }

  async watch(options: KvWatchOptions = {}): Promise<Pulled<KvEntry>> {
    const { include = "last", ignoreDeletes = false, headersOnly, initialized } = options;
    const deliver = ({ last: "last_per_subject", history: "all", updates: "new" } as const)[include];
    if (!deliver) throw new InvalidArgumentError(`include is ${JSON.stringify(include)}: use "last", "history" or "updates"`);
    const { messages, isEmpty } = await pull(this.#api, this.#stream, { filters: this.#filters(options.key), deliver, headersOnly });
    let isInitialized = isEmpty || include === "updates";
    if (isInitialized) initialized?.();
    const take = (found: StreamMessage): KvEntry => {
      if (!isInitialized && found.pending === 0) {
        isInitialized = true;
        // After the reader has this one, which belongs to the beginning too.
        setTimeout(() => initialized?.());
      }
      return this.#entryOf(found);
    };
    return mapped(messages, take, (entry) => !(ignoreDeletes && entry.operation !== "PUT"));
  }

  async history(options: { key?: string | string[] } = {}): Promise<Pulled<KvEntry>> {
    const { messages } = await pull(this.#api, this.#stream, { filters: this.#filters(options.key), deliver: "all", untilCaughtUp: true });
    return mapped(messages, (found) => this.#entryOf(found));
  }

  async keys(filter?: string | string[]): Promise<Pulled<string>> {
    const filters = this.#filters(filter);
    const { messages } = await pull(this.#api, this.#stream, { filters, deliver: "last_per_subject", headersOnly: true, untilCaughtUp: true });
    const entries = mapped(messages, (found) => this.#entryOf(found), (entry) => entry.operation === "PUT");
    return mapped(entries, (entry) => entry.key);
  }

  async #write(key: string, value: Payload | undefined, operation: string | undefined, previous: number | undefined): Promise<number> {
    const hdrs = headers();
    if (operation) hdrs.set(OPERATION, operation);
    if (operation === "PURGE") hdrs.set("Nats-Rollup", "sub");
    const expect = previous === undefined ? undefined : { lastSubjectSequence: previous };
    const { seq } = await this.#api.publish(this.#outside + this.#subject(key), value, { headers: hdrs, expect });
    return seq;
  }

  async #getDirect(subject: string, revision: number | undefined): Promise<KvEntry | null> {
    let message: Msg | null;
    try {
      message = await this.#api.direct(this.#stream, revision === undefined ? { last: subject } : { seq: revision });
    } catch (error) {
      if (!(error instanceof RequestError && error.isNoResponders())) throw error;
      return this.#getStored(subject, revision);
    }
    if (!message) return null;
    const hdrs = message.headers;
    return entry(this.bucket, {
      subject: hdrs?.get("Nats-Subject") ?? "",
      headers: hdrs,
      data: message.data,
      seq: Number(hdrs?.get("Nats-Sequence")),
      time: new Date(hdrs?.get("Nats-Time-Stamp") ?? 0),
    });
  }

  /** For buckets without direct get, from the stream's leader. */
  async #getStored(subject: string, revision: number | undefined): Promise<KvEntry | null> {
    const query = revision === undefined ? { last_by_subj: subject } : { seq: revision };
    try {
      const { message } = await this.#api.call<{ message: StoredMessage }>(`STREAM.MSG.GET.${this.#stream}`, query);
      return entry(this.bucket, {
        subject: message.subject,
        headers: message.hdrs ? decodeHeaders(fromBase64(message.hdrs)) : undefined,
        data: fromBase64(message.data ?? ""),
        seq: message.seq,
        time: new Date(message.time),
      });
    } catch (error) {
      if (error instanceof JetStreamApiError && error.code === "NOT_FOUND") return null;
      throw error;
    }
  }

  #entryOf(found: StreamMessage): KvEntry {
    const { message, seq, time, pending } = found;
    return entry(this.bucket, { subject: message.subject, headers: message.headers, data: message.data, seq, time, delta: pending });
  }

  #subject(key: string): string {
    return kvSubject(this.#origin, key);
  }

  #filters(keys: string | string[] = ">"): string[] {
    return [keys].flat().map((key) => kvSubject(this.#origin, key, true));
  }
}

interface StoredMessage {
  readonly subject: string;
  readonly seq: number;
  readonly hdrs?: string;
  readonly data?: string;
  readonly time: string;
}

/** Returns the subject of a key, or of several keys if `wildcards` are allowed. Throws an `InvalidArgumentError`. */
export function kvSubject(bucket: string, key: string, wildcards = false): string {
  const isAllowed = wildcards ? /^[-/=.\w*>]+$/ : /^[-/=.\w]+$/;
  const isWhole = typeof key === "string" && isAllowed.test(key) && !/^\.|\.$|\.\.|>./.test(key);
  if (!isWhole) throw new InvalidArgumentError(`illegal key: ${JSON.stringify(key)}; use letters, digits, and - / = . _`);
  return `$KV.${bucket}.${key}`;
}

export function checkBucket(bucket: string): void {
  if (!/^[-\w]+$/.test(bucket)) throw new InvalidArgumentError(`illegal bucket: ${JSON.stringify(bucket)}; use letters, digits, - and _`);
}

function entry(bucket: string, stored: { subject: string; headers?: MsgHdrs; data: Uint8Array; seq: number; time: Date; delta?: number }): KvEntry {
  const { subject, data, seq, time, delta } = stored;
  // What the server deletes by itself it marks with the reason.
  const reason = stored.headers?.get("Nats-Marker-Reason");
  const operation = stored.headers?.get(OPERATION) || (!reason ? "PUT" : reason === "Remove" ? "DEL" : "PURGE");
  return {
    bucket,
    key: subject.split(".").slice(2).join("."),
    value: data,
    revision: seq,
    created: time,
    delta,
    operation: operation as KvEntry["operation"],
    length: Number(stored.headers?.get("Nats-Msg-Size") || data.byteLength),
    string: () => decoder.decode(data),
    json: () => JSON.parse(decoder.decode(data)),
  };
}

function mapped<A, B>(source: Pulled<A>, map: (item: A) => B, keep: (item: B) => boolean = () => true): Pulled<B> {
  async function* run(): AsyncGenerator<B> {
    for await (const item of source) {
      const result = map(item);
      if (keep(result)) yield result;
    }
  }
  const generator = run();
  const leave = generator.return.bind(generator);
  generator.return = (value) => {
    source.stop();
    return leave(value);
  };
  return Object.assign(generator, { stop: () => source.stop() }) as Pulled<B>;
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}
