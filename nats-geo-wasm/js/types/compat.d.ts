/** Small helpers that nats-core also exports. */
import type * as classes from "./errors.js";
import type { HeaderMatch } from "./nats.js";

/** An empty payload. */
export const Empty: Uint8Array;
export const Match: { readonly Exact: HeaderMatch; readonly CanonicalMIME: HeaderMatch; readonly IgnoreCase: HeaderMatch };
/** All error classes, by name. */
export const errors: Readonly<typeof classes>;
/** Generator of unique tokens. */
export const nuid: { next(): string };
/** Converts milliseconds to nanoseconds. */
export function nanos(millis: number): number;
/** Converts nanoseconds to milliseconds. */
export function millis(nanos: number): number;
export function delay(ms?: number): Promise<void>;
/** Returns a reader of an iterable: `next()` resolves with the next item, or with null at the end. */
export function syncIterator<T>(source: AsyncIterable<T>): { next(): Promise<T | null> };
