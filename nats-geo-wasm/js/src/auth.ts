// Authenticators: nats-core's helpers. Those with a seed turn it into a key at once, and carry that key along so that a
// page can hand it to the service worker, which then signs without the page.

import type { Authenticator, NkeyCredentials } from "../types/nats.js";
import { importCredentials, importNkey, sign } from "./nkeys.ts";

const KEY = Symbol("key");

type KeyedAuthenticator = Authenticator & { [KEY]?: Promise<NkeyCredentials> };
type Given = string | (() => string);

const valueOf = (given: Given): string => (typeof given === "function" ? given() : given);

export function usernamePasswordAuthenticator(user: Given, pass?: Given): Authenticator {
  return () => ({ user: valueOf(user), ...(pass === undefined ? {} : { pass: valueOf(pass) }) });
}

export function tokenAuthenticator(token: Given): Authenticator {
  return () => ({ auth_token: valueOf(token) });
}

export function nkeyAuthenticator(seed: Uint8Array | string): Authenticator {
  return keyed(importNkey(seed));
}

export function jwtAuthenticator(jwt: Given, seed?: Uint8Array | string): Authenticator {
  if (seed === undefined) return () => ({ jwt: valueOf(jwt) });
  if (typeof jwt === "string") return keyed(importNkey(seed, jwt));
  const credentials = quiet(importNkey(seed));
  return async (nonce) => ({ ...(await sign(await credentials, nonce)), jwt: jwt() });
}

export function credsAuthenticator(creds: Uint8Array | string): Authenticator {
  return keyed(importCredentials(creds));
}

/** Returns the key of an authenticator that only signs with a key; undefined for other authenticators. */
export function keyOf(authenticator: Authenticator): Promise<NkeyCredentials> | undefined {
  return (authenticator as KeyedAuthenticator)[KEY];
}

function keyed(credentials: Promise<NkeyCredentials>): Authenticator {
  const key = quiet(credentials);
  const authenticator: KeyedAuthenticator = async (nonce) => sign(await key, nonce);
  authenticator[KEY] = key;
  return authenticator;
}

/** A bad seed is reported by the connection that uses it, not as an unhandled rejection. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
