// Inboxes: subjects that nobody else uses.

import { InvalidArgumentError } from "./errors.ts";

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/** 62^22 > 2^130: as unlikely to repeat as a UUID. */
const TOKEN_LENGTH = 22;

/** Returns a random token of letters and digits. */
export function randomToken(): string {
  let token = "";
  while (token.length < TOKEN_LENGTH) {
    for (const byte of crypto.getRandomValues(new Uint8Array(TOKEN_LENGTH))) {
      // 248 is the largest multiple of 62 in a byte: larger values would favour the alphabet's beginning.
      if (byte < 248 && token.length < TOKEN_LENGTH) token += ALPHABET[byte % 62];
    }
  }
  return token;
}

/** Returns a new subject for answers. */
export function createInbox(prefix = "_INBOX"): string {
  if (!isSubject(prefix, false)) throw new InvalidArgumentError(`illegal inbox prefix: ${JSON.stringify(prefix)}`);
  return `${prefix}.${randomToken()}`;
}

/** Returns whether this is a valid subject for a publish or, with `wildcards`, for a subscription. */
export function isSubject(subject: unknown, wildcards: boolean): subject is string {
  if (typeof subject !== "string" || subject === "" || /[\s\0]/.test(subject)) return false;
  if (subject.startsWith(".") || subject.endsWith(".") || subject.includes("..")) return false;
  if (!wildcards) return !/(^|\.)[*>](\.|$)/.test(subject);
  return !/(^|\.)>\./.test(subject);
}
