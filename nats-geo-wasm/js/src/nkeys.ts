// NKeys: user seeds become non-extractable WebCrypto keys at once; the seed is wiped and never kept.

import type { NkeyCredentials } from "../types/nats.js";
import { InvalidArgumentError, InvalidOperationError } from "./errors.ts";

const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/** Prefixes of nkeys: 5 bits of kind, shifted into place. */
const PREFIX_SEED = 18 << 3;
const PREFIX_USER = 20 << 3;
/** Prefix byte and kind in two bytes, 32 bytes of seed, two of checksum. */
const SEED_BYTES = 2 + 32 + 2;
/** The same as text: 5 bits a letter. */
const SEED_LETTERS = Math.ceil((SEED_BYTES * 8) / 5);
/** PKCS#8 wrapping of a raw Ed25519 seed (RFC 8410). */
const PKCS8_PREFIX = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Imports a user seed ("SU..."). No error contains the seed. */
export async function importNkey(seed: Uint8Array | string, jwt?: string): Promise<NkeyCredentials> {
  const raw = decodeSeed(seed);
  const pkcs8 = Uint8Array.from([...PKCS8_PREFIX, ...raw]);
  raw.fill(0);
  try {
    if (!globalThis.crypto?.subtle) throw new InvalidArgumentError("nkeys need crypto.subtle, which only secure pages (https or localhost) have");
    // Only an extractable key shows its public half, so that one lives for this function alone.
    const shown = await crypto.subtle.importKey("pkcs8", pkcs8, "Ed25519", true, ["sign"]);
    const { x } = await crypto.subtle.exportKey("jwk", shown);
    const key = await crypto.subtle.importKey("pkcs8", pkcs8, "Ed25519", false, ["sign"]);
    const nkey = encodeKey(PREFIX_USER, fromBase64Url(x ?? ""));
    return jwt === undefined ? { nkey, key } : { nkey, key, jwt };
  } catch (cause) {
    if (cause instanceof InvalidArgumentError) throw cause;
    throw new InvalidOperationError("this browser cannot sign with Ed25519 keys: use a password, a token, or an authenticator of your own", { cause });
  } finally {
    pkcs8.fill(0);
  }
}

/** Imports the content of a `.creds` file: a user JWT and its seed. */
export async function importCredentials(creds: Uint8Array | string): Promise<NkeyCredentials> {
  const text = typeof creds === "string" ? creds : decoder.decode(creds);
  const [jwt, seed] = [...text.matchAll(/-{3,}BEGIN [^\n]*-{3,}\s+(\S+)\s+-{3,}END/g)].map((block) => block[1]);
  if (!jwt || !seed) throw new InvalidArgumentError("creds must hold a user JWT and a user seed, each between BEGIN and END lines");
  return importNkey(seed, jwt);
}

/** Signs the nonce that a server sent. */
export async function sign(credentials: NkeyCredentials, nonce: string | undefined): Promise<{ nkey: string; sig: string; jwt?: string }> {
  const { nkey, jwt, key } = credentials;
  const signature = await crypto.subtle.sign("Ed25519", key, encoder.encode(nonce ?? ""));
  const sig = toBase64Url(new Uint8Array(signature));
  return jwt === undefined ? { nkey, sig } : { jwt, nkey, sig };
}

/** Returns the 32 secret bytes of a user seed. */
export function decodeSeed(seed: Uint8Array | string): Uint8Array {
  const text = (typeof seed === "string" ? seed : decoder.decode(seed)).trim();
  const bytes = decodeBase32(text);
  if (!bytes || text.length !== SEED_LETTERS) throw new InvalidArgumentError('the nkey seed is damaged: it must be 58 characters of base32, "SU..."');
  const kind = ((bytes[0]! & 7) << 5) | ((bytes[1]! & 0xf8) >> 3);
  if ((bytes[0]! & 0xf8) !== PREFIX_SEED || kind !== PREFIX_USER) throw new InvalidArgumentError('the nkey is no user seed: user seeds begin with "SU"');
  const content = bytes.subarray(0, SEED_BYTES - 2);
  const stored = bytes[SEED_BYTES - 2]! | (bytes[SEED_BYTES - 1]! << 8);
  if (crc16(content) !== stored) throw new InvalidArgumentError("the nkey seed is damaged: its checksum is wrong");
  const raw = bytes.slice(2, SEED_BYTES - 2);
  bytes.fill(0);
  return raw;
}

/** Returns a public key as text, such as "UA...". */
export function encodeKey(prefix: number, key: Uint8Array): string {
  const content = Uint8Array.from([prefix, ...key]);
  const crc = crc16(content);
  return encodeBase32(Uint8Array.from([...content, crc & 0xff, crc >> 8]));
}

/** Returns the CRC-16/XMODEM of the bytes, as NKeys use it. */
export function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff;
  }
  return crc;
}

function decodeBase32(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(Math.floor((text.length * 5) / 8));
  let bits = 0;
  let width = 0;
  let at = 0;
  for (const letter of text) {
    const value = BASE32.indexOf(letter);
    if (value < 0) return undefined;
    bits = ((bits << 5) | value) & 0xfff;
    width += 5;
    if (width >= 8) {
      width -= 8;
      bytes[at++] = (bits >> width) & 0xff;
    }
  }
  return bytes;
}

function encodeBase32(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let width = 0;
  for (const byte of bytes) {
    bits = ((bits << 8) | byte) & 0x1fff;
    width += 8;
    while (width >= 5) {
      width -= 5;
      text += BASE32[(bits >> width) & 31];
    }
  }
  return width > 0 ? text + BASE32[(bits << (5 - width)) & 31] : text;
}

function toBase64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

function fromBase64Url(text: string): Uint8Array {
  return Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
}
