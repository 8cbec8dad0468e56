// The small helpers that nats-core exports beside the client, so that an import changes and nothing else.

import type { HeaderMatch } from "../types/nats.js";
export { delay } from "./delay.ts";
import * as errorClasses from "./errors-public.ts";
import { randomToken } from "./inbox.ts";

const NANOS_PER_MS = 1_000_000;

export const Empty: Uint8Array = new Uint8Array(0);

export const Match: { readonly Exact: HeaderMatch; readonly CanonicalMIME: HeaderMatch; readonly IgnoreCase: HeaderMatch } = {
  Exact: "exact",
  CanonicalMIME: "canonical",
  IgnoreCase: "insensitive",
};

/** All error classes, by name. */
export const errors: Readonly<typeof errorClasses> = { ...errorClasses };

export const nuid: { next(): string } = { next: randomToken };

export function nanos(millis: number): number {
  return millis * NANOS_PER_MS;
}

export function millis(nanos: number): number {
  return Math.floor(nanos / NANOS_PER_MS);
}

/** Returns a reader of an iterable: `next()` resolves with the next item, or with null at the end. */
export function syncIterator<T>(source: AsyncIterable<T>): { next(): Promise<T | null> } {
  const iterator = source[Symbol.asyncIterator]();
  return {
    async next() {
      const { value, done } = await iterator.next();
      return done ? null : value;
    },
  };
}
