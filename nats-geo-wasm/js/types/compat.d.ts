/** The small helpers that nats-core exports beside the client. */
import type * as classes from "./errors.js";
import type { HeaderMatch } from "./nats.js";

/** No data. */
export const Empty: Uint8Array;
export const Match: { readonly Exact: HeaderMatch; readonly CanonicalMIME: HeaderMatch; readonly IgnoreCase: HeaderMatch };
/** All error classes, by name. */
export const errors: Readonly<typeof classes>;
/** Tokens that nobody else has. */
export const nuid: { next(): string };
/** Milliseconds as nanoseconds. */
export function nanos(millis: number): number;
/** Nanoseconds as milliseconds. */
export function millis(nanos: number): number;
export function delay(ms?: number): Promise<void>;
/** Reads an iterable item by item; null at the end. */
export function syncIterator<T>(source: AsyncIterable<T>): { next(): Promise<T | null> };
