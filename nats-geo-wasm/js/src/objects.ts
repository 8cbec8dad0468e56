// Object stores, read: the conventions of NATS object stores over direct gets. A direct get names a sequence and a
// number of chunks, so nothing comes that was not asked for, and no state at the server has to survive a move.

import type { ByteRange, JetStreamClient, JetStreamOptions, ObjectInfo, ObjectResult, ObjectStore } from "../types/jetstream.js";
import type { Msg, NatsConnection } from "../types/nats.js";
import { ChunkReader } from "./chunks.ts";
import { InvalidArgumentError, JetStreamApiError, JetStreamError } from "./errors.ts";
import { headersFromRecord } from "./headers.ts";
import { apiOf, type JetStreamApi } from "./jetstream.ts";
import { checkBucket } from "./kv.ts";
import { pull } from "./pull.ts";
import { Sha256 } from "./sha256.ts";

const encoder = new TextEncoder();

export class Objm {
  #api: JetStreamApi;

  constructor(nc: NatsConnection | JetStreamClient, options?: JetStreamOptions) {
    this.#api = apiOf(nc, options);
  }

  async open(bucket: string): Promise<ObjectBucket> {
    checkBucket(bucket);
    const stream = `OBJ_${bucket}`;
    const { config } = await this.#api.call<{ config: { allow_direct?: boolean } }>(`STREAM.INFO.${stream}`);
    if (!config.allow_direct) {
      throw new JetStreamError(`object store ${bucket} forbids direct gets, which reads of objects need: allow them with \`nats stream edit ${stream} --allow-direct\``);
    }
    return new ObjectBucket(this.#api, bucket);
  }
}

/** The server's JSON of an object. */
type StoredInfo = Omit<ObjectInfo, "headers" | "description" | "metadata"> & {
  readonly description?: string;
  readonly metadata?: Record<string, string>;
  readonly headers?: Record<string, string[]>;
};

export class ObjectBucket implements ObjectStore {
  readonly bucket: string;
  #api: JetStreamApi;
  #stream: string;

  constructor(api: JetStreamApi, bucket: string) {
    this.#api = api;
    this.bucket = bucket;
    this.#stream = `OBJ_${bucket}`;
  }

  async info(name: string): Promise<ObjectInfo | null> {
    for (const subject of metaSubjects(this.bucket, name)) {
      const message = await this.#api.direct(this.#stream, { last: subject });
      if (message) return parseInfo(message, Number(message.headers?.get("Nats-Sequence")));
    }
    return null;
  }

  async list(): Promise<ObjectInfo[]> {
    const options = { filters: [`$O.${this.bucket}.M.>`], deliver: "last_per_subject", untilCaughtUp: true } as const;
    const { messages } = await pull(this.#api, this.#stream, options);
    const infos: ObjectInfo[] = [];
    for await (const { message, seq } of messages) {
      const info = parseInfo(message, seq);
      if (!info.deleted) infos.push(info);
    }
    return infos;
  }

  async get(name: string, options: { range?: ByteRange } = {}): Promise<ObjectResult | null> {
    const found = await this.find(name);
    return found && found.store.read(found.info, options.range);
  }

  /** Finds an object and the store that has its data, and follows links. Resolves with null if there is no such object. */
  async find(name: string): Promise<{ store: ObjectBucket; info: ObjectInfo } | null> {
    const info = await this.info(name);
    if (!info || info.deleted) return null;
    const link = info.options?.link;
    if (!link) return { store: this, info };
    if (!link.name) throw new JetStreamError(`object ${JSON.stringify(name)} is a link to the store ${link.bucket}: open that store`);
    const target = link.bucket === this.bucket ? this : await new Objm(this.#api).open(link.bucket);
    const linked = await target.info(link.name);
    // Links of links are forbidden, so a circle ends here.
    return linked && !linked.deleted && !linked.options?.link ? { store: target, info: linked } : null;
  }

  async getBlob(name: string, options: { range?: ByteRange } = {}): Promise<Uint8Array | null> {
    const result = await this.get(name, options);
    if (!result) return null;
    try {
      return new Uint8Array(await new Response(result.data as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer());
    } catch (error) {
      // Browsers say no more than that it failed.
      throw (await result.error) ?? error;
    }
  }

  read(info: ObjectInfo, range?: ByteRange): ObjectResult {
    const { start, end } = range ?? { start: 0, end: info.size - 1 };
    if (range && !(start >= 0 && start <= end && end < info.size)) throw new InvalidArgumentError(`range ${start}-${end} is outside of the object's ${info.size} bytes`);
    const isWhole = start === 0 && end === info.size - 1;
    const digest = isWhole ? new Digest(info) : undefined;
    const chunks = new ChunkReader(this.#api, this.#stream, `$O.${this.bucket}.C.${info.nuid}`, info, start, end);
    let settle!: (error: Error | null) => void;
    const error = new Promise<Error | null>((resolve) => (settle = resolve));
    const source: UnderlyingDefaultSource<Uint8Array> = {
      pull: async (controller) => {
        try {
          const bytes = await chunks.next();
          if (bytes) {
            digest?.update(bytes);
            return controller.enqueue(bytes);
          }
          digest?.check();
          controller.close();
          settle(null);
        } catch (thrown) {
          settle(thrown as Error);
          throw thrown;
        }
      },
      cancel: () => {
        chunks.stop();
        settle(null);
      },
    };
    // No byte is fetched before somebody wants it: that is all the back-pressure there is.
    return { info, data: new ReadableStream(source, { highWaterMark: 0 }), error };
  }
}

/** Compares what came with what the info promises. */
class Digest {
  #info: ObjectInfo;
  #sha = new Sha256();

  constructor(info: ObjectInfo) {
    this.#info = info;
  }

  update(bytes: Uint8Array): void {
    this.#sha.update(bytes);
  }

  check(): void {
    const { digest, name } = this.#info;
    if (digest !== `SHA-256=${base64Url(this.#sha.digest())}`) throw new JetStreamError(`object ${JSON.stringify(name)} is damaged: its digest is wrong`, { code: "DIGEST_MISMATCH" });
  }
}

/**
 * Returns the subjects that may have the info of an object: its name in padded base64url. nats.js encodes Latin-1, other
 * clients encode UTF-8.
 */
export function metaSubjects(bucket: string, name: string): string[] {
  if (typeof name !== "string" || name === "") throw new InvalidArgumentError("the object's name is empty");
  const encodings = [encoder.encode(name)];
  if (/[\x80-\xff]/.test(name) && /^[\0-\xff]*$/.test(name)) encodings.push(Uint8Array.from(name, (letter) => letter.charCodeAt(0)));
  return encodings.map((bytes) => `$O.${bucket}.M.${base64Url(bytes)}`);
}

function parseInfo(message: Msg, revision: number): ObjectInfo {
  let stored: StoredInfo;
  try {
    stored = message.json<StoredInfo>();
  } catch (cause) {
    throw new JetStreamApiError({ code: 500, description: "an object's info is no JSON" }, { cause });
  }
  const { headers, description = "", metadata = {}, ...rest } = stored;
  const size = rest.size ?? 0;
  return { ...rest, size, chunks: rest.chunks ?? 0, deleted: rest.deleted ?? false, revision, description, metadata, headers: headers && headersFromRecord(headers) };
}

function base64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_");
}
