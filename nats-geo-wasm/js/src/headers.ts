// Headers: the `NATS/1.0` block and its map of names to values.

import type { HeaderMatch, MsgHdrs } from "../types/nats.js";
import { InvalidArgumentError } from "./errors.ts";

const VERSION = "NATS/1.0";
/** RFC 9110 token, without which a name could not be told from its value or the next line. */
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Status codes from here on are errors, as nats-core has it. */
const ERROR_STATUS_MIN = 300;

const decoder = new TextDecoder();
const encoder = new TextEncoder();

export class MsgHdrsImpl implements MsgHdrs {
  readonly code: number;
  readonly description: string;
  #values = new Map<string, string[]>();

  constructor(code = 0, description = "") {
    this.code = code;
    this.description = description;
  }

  get hasError(): boolean {
    return this.code >= ERROR_STATUS_MIN;
  }

  get status(): string {
    return `${this.code} ${this.description}`.trim();
  }

  get(name: string, match: HeaderMatch = "exact"): string {
    return this.values(name, match)[0] ?? "";
  }

  last(name: string, match: HeaderMatch = "exact"): string {
    return this.values(name, match).at(-1) ?? "";
  }

  values(name: string, match: HeaderMatch = "exact"): string[] {
    return this.#names(name, match).flatMap((found) => this.#values.get(found) ?? []);
  }

  has(name: string, match: HeaderMatch = "exact"): boolean {
    return this.#names(name, match).length > 0;
  }

  set(name: string, value: string, match: HeaderMatch = "exact"): void {
    const [stored, text] = checked(name, value, match);
    this.delete(name, match);
    this.#values.set(stored, [text]);
  }

  append(name: string, value: string, match: HeaderMatch = "exact"): void {
    const [stored, text] = checked(name, value, match);
    const key = this.#names(name, match)[0] ?? stored;
    this.#values.set(key, [...(this.#values.get(key) ?? []), text]);
  }

  delete(name: string, match: HeaderMatch = "exact"): void {
    for (const found of this.#names(name, match)) this.#values.delete(found);
  }

  keys(): string[] {
    return [...this.#values.keys()];
  }

  size(): number {
    return this.#values.size;
  }

  /** Returns the header block, as in nats-core; "" if it is empty. */
  toString(): string {
    return this.size() === 0 && this.code === 0 ? "" : blockOf(this);
  }

  toRecord(): Record<string, string[]> {
    return Object.fromEntries(this.#values);
  }

  [Symbol.iterator](): IterableIterator<[string, string[]]> {
    return this.#values.entries();
  }

  #names(name: string, match: HeaderMatch): string[] {
    if (match === "exact") return this.#values.has(name) ? [name] : [];
    if (match === "canonical") return this.#names(canonical(name), "exact");
    const wanted = name.toLowerCase();
    return this.keys().filter((key) => key.toLowerCase() === wanted);
  }
}

/** Returns new headers. The status is for tests and for gateways. */
export function headers(code?: number, description?: string): MsgHdrsImpl {
  return new MsgHdrsImpl(code, description);
}

/** Returns headers from an object that `toRecord` returned. */
export function headersFromRecord(record: Record<string, string[]>): MsgHdrsImpl {
  const result = new MsgHdrsImpl();
  for (const [name, values] of Object.entries(record)) for (const value of values) result.append(name, value);
  return result;
}

export function encodeHeaders(hdrs: MsgHdrs | undefined): Uint8Array | undefined {
  return hdrs && encoder.encode(blockOf(hdrs));
}

function blockOf(hdrs: MsgHdrs): string {
  const status = hdrs.code > 0 ? ` ${hdrs.status}` : "";
  let block = `${VERSION}${status}\r\n`;
  for (const [name, values] of hdrs) for (const value of values) block += `${name}: ${value}\r\n`;
  return `${block}\r\n`;
}

/** Parses the headers of a message from another client. Skips lines that are not valid, and then calls `onUnreadable` once. */
export function decodeHeaders(block: Uint8Array, onUnreadable: () => void = () => {}): MsgHdrsImpl {
  const [first = "", ...lines] = decoder.decode(block).split(/\r?\n/);
  const isVersion = first.startsWith(VERSION);
  const status = isVersion ? first.slice(VERSION.length).trim() : "";
  const result = new MsgHdrsImpl(Number.parseInt(status, 10) || 0, status.replace(/^\d+\s*/, ""));
  let isReadable = isVersion;
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0));
    const value = line.slice(colon + 1).trim();
    if (NAME.test(name) && !/\r/.test(value)) result.append(name, value);
    else isReadable &&= line === "";
  }
  if (!isReadable) onUnreadable();
  return result;
}

function checked(name: string, value: string, match: HeaderMatch): [string, string] {
  if (!NAME.test(name)) throw new InvalidArgumentError(`illegal header name: ${JSON.stringify(name)}`);
  const text = String(value).trim();
  if (/[\r\n]/.test(text)) throw new InvalidArgumentError(`the value of header ${name} contains a line break`);
  return [match === "canonical" ? canonical(name) : name, text];
}

function canonical(name: string): string {
  return name.toLowerCase().replace(/(^|-)[a-z]/g, (start) => start.toUpperCase());
}
