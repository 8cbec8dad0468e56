// Fetches answered from an object store: whole, or one range of it, pulled as the browser reads.

import type { ObjectInfo } from "../../types/jetstream.js";
import type { ObjectRoute } from "../../types/sw.js";
import type { NatsConnection } from "../../types/nats.js";
import { Objm, type ObjectBucket } from "../objects.ts";
import { failure } from "./failure.ts";
import { parseRange } from "./ranges.ts";

/** For objects that do not say what they are. Browsers refuse scripts, styles and media of a wrong type. */
const TYPES: Record<string, string> = {
  html: "text/html; charset=utf-8", css: "text/css; charset=utf-8", js: "text/javascript; charset=utf-8", mjs: "text/javascript; charset=utf-8", json: "application/json",
  txt: "text/plain; charset=utf-8", svg: "image/svg+xml", png: "image/png", jpg: "image/jpeg", jpeg: "image/jpeg", webp: "image/webp", avif: "image/avif", gif: "image/gif",
  ico: "image/x-icon", woff2: "font/woff2", wasm: "application/wasm", mp4: "video/mp4", webm: "video/webm", mp3: "audio/mpeg", wav: "audio/wav", ogg: "audio/ogg", pdf: "application/pdf",
};

/** Answers fetches from object stores, and opens each bucket only once. */
export class ObjectServer {
  readonly nc: NatsConnection;
  #onRead: (reading: Promise<unknown>) => void;
  #stores = new Map<string, Promise<ObjectBucket>>();

  /** `onRead` gets a promise for each body. The promise settles when the browser has read the body or has stopped reading. */
  constructor(nc: NatsConnection, onRead: (reading: Promise<unknown>) => void) {
    this.nc = nc;
    this.#onRead = onRead;
  }

  async serve(route: ObjectRoute, name: string, request: Request): Promise<Response> {
    const found = await (await this.#open(route)).find(name);
    if (!found) return failure("NOT_FOUND", `no object ${name} in ${route.bucket}`);
    const { store, info } = found;
    const headers = headersOf(info, name, route.cacheControl ?? "no-cache");
    const etag = headers.get("etag");
    if (etag !== null && (request.headers.get("if-none-match") ?? "").split(/\s*,\s*/).includes(etag)) return new Response(null, { status: 304, headers });
    // A range of an older version would be glued to this one: If-Range asks for the whole then.
    const condition = request.headers.get("if-range");
    const hasRange = request.method === "GET" && (condition === null || condition === etag);
    const range = parseRange(hasRange ? request.headers.get("range") : null, info.size);
    if (range.kind === "unsatisfiable") {
      headers.set("content-range", `bytes */${info.size}`);
      headers.delete("content-length");
      return new Response(null, { status: 416, headers });
    }
    if (range.kind === "part") {
      headers.set("content-range", `bytes ${range.start}-${range.end}/${info.size}`);
      headers.set("content-length", String(range.end - range.start + 1));
    }
    const status = range.kind === "part" ? 206 : 200;
    if (request.method === "HEAD" || info.size === 0) return new Response(null, { status, headers });
    const { data, error } = store.read(info, range.kind === "part" ? range : undefined);
    this.#onRead(error);
    return new Response(data as ReadableStream<Uint8Array<ArrayBuffer>>, { status, headers });
  }

  #open({ bucket, domain }: ObjectRoute): Promise<ObjectBucket> {
    // Neither name has white space.
    const place = `${domain ?? ""} ${bucket}`;
    const known = this.#stores.get(place);
    if (known) return known;
    const opening = new Objm(this.nc, domain === undefined ? {} : { domain }).open(bucket);
    this.#stores.set(place, opening);
    // A store that is made later is found then.
    opening.catch(() => this.#stores.delete(place));
    return opening;
  }
}

function headersOf(info: ObjectInfo, name: string, cacheControl: string): Headers {
  const extension = /\.(\w+)$/.exec(name)?.[1]?.toLowerCase() ?? "";
  const type = info.headers?.get("content-type", "insensitive") || info.metadata["content-type"] || TYPES[extension] || "application/octet-stream";
  const headers = new Headers({ "content-type": type, "content-length": String(info.size), "accept-ranges": "bytes", "cache-control": cacheControl });
  if (info.digest) headers.set("etag", `"${info.digest}"`);
  const modified = new Date(info.mtime);
  if (!Number.isNaN(modified.getTime())) headers.set("last-modified", modified.toUTCString());
  return headers;
}
