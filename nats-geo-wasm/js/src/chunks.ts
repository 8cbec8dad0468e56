// Chunks: the bytes of an object, from any offset, a bounded batch at a time.

import type { ObjectInfo } from "../types/jetstream.js";
import type { Msg, Subscription } from "../types/nats.js";
import { delay } from "./delay.ts";
import { JetStreamApiError, JetStreamError, NoRespondersError, RequestError, TimeoutError } from "./errors.ts";
import { createInbox } from "./inbox.ts";
import { JetStreamApi } from "./jetstream.ts";
import { isNoResponders } from "./message.ts";

/** What nats.go and nats-core cut objects into unless told. */
const CHUNK_BYTES_DEFAULT = 128 * 1024;
/**
 * Least and most of one batch. It bounds what is under way when a reader stops, and with it the cost of a seek; the most
 * still allows 5 MB/s at 100 ms to the server. Players ask, look at the head, and cancel; so a batch is a quarter of what
 * was read so far.
 */
const BATCH_BYTES_MIN = 128 * 1024;
const BATCH_BYTES_MAX = 512 * 1024;
const BATCH_PART_OF_READ = 1 / 4;
/** Smaller parts are joined: each costs a hand-over from worker to page. */
const PART_BYTES_MIN = 64 * 1024;
/**
 * Silence after which a batch is asked for again. It grows with each try: the first must come soon, because a region
 * that dies takes a batch with it and the player's buffer is what hides that.
 */
const STALL_START_MS = 1000;
const STALL_MAX_MS = 8000;
/** Tries without any progress until the reader is told: with the waits above, after about half a minute. */
const TRIES_MAX = 6;
/** Pause before a replica that lacks a chunk is asked again. */
const REPLICA_WAIT_MS = 250;

export class ChunkReader {
  #api: JetStreamApi;
  #stream: string;
  #subject: string;
  #info: ObjectInfo;
  #chunkBytes: number;
  /** Index of the next chunk, and the bytes of it that are not wanted. */
  #index: number;
  #skip: number;
  #left: number;
  /** Sequence from which the next chunk is looked for; 0 until the first is found. */
  #seq = 0;
  #readBytes = 0;
  #ready: Uint8Array[] = [];
  #inbox: Subscription | undefined;
  #isStopped = false;

  /** Reads the bytes from `start` to `end`, both included, of the object that `info` describes. */
  constructor(api: JetStreamApi, stream: string, subject: string, info: ObjectInfo, start: number, end: number) {
    this.#api = api;
    this.#stream = stream;
    this.#subject = subject;
    this.#info = info;
    this.#chunkBytes = info.options?.max_chunk_size || CHUNK_BYTES_DEFAULT;
    this.#index = Math.floor(start / this.#chunkBytes);
    this.#skip = start % this.#chunkBytes;
    this.#left = info.size === 0 ? 0 : end - start + 1;
  }

  /** Resolves with the next bytes, or with undefined at the end. */
  async next(): Promise<Uint8Array | undefined> {
    for (let tries = 1, stallMs = STALL_START_MS; this.#ready.length === 0; tries++) {
      if (this.#left === 0 || this.#isStopped) return undefined;
      const failure = this.#seq === 0 ? await this.#find(this.#index) : await this.#fetch(stallMs);
      if (failure && tries >= TRIES_MAX) throw failure;
      stallMs = Math.min(stallMs * 2, STALL_MAX_MS);
    }
    return this.#chunkBytes < PART_BYTES_MIN ? joined(this.#ready.splice(0)) : this.#ready.shift();
  }

  stop(): void {
    this.#isStopped = true;
    this.#inbox?.unsubscribe();
  }

  /** One batch. Returns why nothing came, when nothing came. */
  async #fetch(stallMs: number): Promise<Error | undefined> {
    const { nc, prefix } = this.#api;
    const batchBytes = Math.min(Math.max(this.#readBytes * BATCH_PART_OF_READ, BATCH_BYTES_MIN), BATCH_BYTES_MAX);
    const chunks = Math.ceil(Math.min(this.#left + this.#skip, batchBytes) / this.#chunkBytes);
    const inbox = nc.subscribe(createInbox(nc.inboxPrefix));
    this.#inbox = inbox;
    let timer = setTimeout(() => inbox.unsubscribe(), stallMs);
    try {
      const query = { seq: this.#seq, next_by_subj: this.#subject, batch: chunks };
      nc.publish(`${prefix}.DIRECT.GET.${this.#stream}`, JSON.stringify(query), { reply: inbox.getSubject() });
      for await (const message of inbox) {
        clearTimeout(timer);
        timer = setTimeout(() => inbox.unsubscribe(), stallMs);
        if (isNoResponders(message)) {
          // Before a leader is elected nobody serves; asking at once would only be refused again.
          await delay(stallMs);
          return new RequestError(`no server answers for object store ${this.#stream}`, { cause: new NoRespondersError(this.#subject) });
        }
        const status = message.headers?.code ?? 0;
        if (status === 204) break;
        if (status > 0) throw new JetStreamApiError({ code: status, description: `object ${this.#info.name}: ${message.headers?.description}` });
        this.#take(message);
      }
      return this.#ready.length > 0 ? undefined : new TimeoutError(`object ${this.#info.name}: no chunk came within ${stallMs} ms`);
    } finally {
      clearTimeout(timer);
      inbox.unsubscribe();
    }
  }

  #take(message: Msg): void {
    const index = chunkIndex(this.#info, message);
    // Repeated by a late batch, or missing: the next batch asks for what is due.
    if (index !== this.#index) {
      if (index > this.#index) throw new JetStreamError(`object ${this.#info.name} is incomplete: chunk ${this.#index} is missing`, { code: "INCOMPLETE" });
      return;
    }
    const bytes = message.data.subarray(this.#skip, this.#skip + this.#left);
    this.#index += 1;
    this.#seq = sequence(message) + 1;
    this.#skip = 0;
    this.#left -= bytes.byteLength;
    this.#readBytes += bytes.byteLength;
    if (bytes.byteLength > 0) this.#ready.push(bytes);
  }

  /**
   * Finds the first wanted chunk, and takes it. The info was written right after the chunks, so its own sequence tells
   * where they are unless somebody wrote in between; each answer says which chunk it is, and halves what is left to search.
   */
  async #find(index: number): Promise<Error | undefined> {
    const { revision, chunks, name } = this.#info;
    let low = 0;
    let high = revision;
    for (let guess = Math.max(1, revision - chunks + index); low + 1 < high; guess = Math.floor((low + high) / 2)) {
      const query = { seq: guess, next_by_subj: this.#subject, batch: 1 };
      const message = await this.#api.direct(this.#stream, query);
      const found = message ? chunkIndex(this.#info, message) : chunks;
      if (message && found === index) {
        this.#take(message);
        return undefined;
      }
      if (message && found < index) low = sequence(message);
      else high = guess;
    }
    // A replica may be a moment behind the info that another one gave.
    await delay(REPLICA_WAIT_MS);
    return new JetStreamError(`object ${JSON.stringify(name)} is incomplete: chunk ${index} is missing`, { code: "INCOMPLETE" });
  }
}

/** Returns the index of the chunk in a message: the server sends the number of later messages. */
export function chunkIndex(info: Pick<ObjectInfo, "chunks">, message: Pick<Msg, "headers">): number {
  return info.chunks - 1 - Number(message.headers?.get("Nats-Num-Pending") || 0);
}

function sequence(message: Msg): number {
  return Number(message.headers?.get("Nats-Sequence"));
}

function joined(parts: Uint8Array[]): Uint8Array {
  const [first, ...more] = parts;
  if (first && more.length === 0) return first;
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}
