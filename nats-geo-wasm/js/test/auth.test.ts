import assert from "node:assert/strict";
import { createPublicKey, verify } from "node:crypto";
import { test } from "node:test";
import { credsAuthenticator, jwtAuthenticator, keyOf, nkeyAuthenticator, tokenAuthenticator, usernamePasswordAuthenticator } from "../src/auth.ts";
import { crc16, decodeSeed, importCredentials, importNkey, sign } from "../src/nkeys.ts";
import { bytes } from "./helpers.ts";

/** A user's seed from the documentation of nkeys, and its public key as nkeys.js computes it. Nobody uses them. */
const SEED = "SUAMLK2ZNL35WSMW37E7UD4VZ7ELPKW7DHC3BWBSD2GCZ7IUQQXZIORRBU";
const PUBLIC = "UCK5N7N66OBOINFXAYC2ACJQYFSOD4VYNU6APEJTAVFZB2SVHLKGEW7L";

/** Raw key of a public nkey, by another way than the code under test. */
function rawKey(nkey: string): Buffer {
  const bits = [...nkey].map((letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0")).join("");
  const octets = bits.match(/.{8}/g)!.map((octet) => Number.parseInt(octet, 2));
  return Buffer.from(octets.slice(1, 33));
}

test("the checksum is CRC-16/XMODEM", () => {
  assert.equal(crc16(bytes("123456789")), 0x31c3);
});

test("a seed becomes a key that cannot be read back, and signs what the server checks", async () => {
  const credentials = await importNkey(SEED);
  assert.equal(credentials.nkey, PUBLIC);
  assert.equal(credentials.key.extractable, false);
  assert.deepEqual(Object.keys(credentials).sort(), ["key", "nkey"]);
  await assert.rejects(crypto.subtle.exportKey("pkcs8", credentials.key));
  const { sig } = await sign(credentials, "a nonce");
  const key = createPublicKey({ key: Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), rawKey(PUBLIC)]), format: "der", type: "spki" });
  assert.ok(verify(null, bytes("a nonce"), key, Buffer.from(sig, "base64url")));
});

test("damaged seeds are refused without naming them", async () => {
  const damaged = [SEED.slice(0, -1), `${SEED}A`, SEED.replace("M", "N"), SEED.toLowerCase(), "", "SU1", PUBLIC];
  for (const seed of damaged) {
    const error = await importNkey(seed).then(() => assert.fail(seed), (error: Error) => error);
    assert.equal(error.name, "InvalidArgumentError", seed);
    if (seed.length > 4) assert.ok(!error.message.includes(seed) && !error.stack!.includes(seed));
  }
});

test("every single wrong letter is noticed", () => {
  for (let at = 0; at < SEED.length; at++) {
    const letter = SEED[at] === "A" ? "B" : "A";
    assert.throws(() => decodeSeed(SEED.slice(0, at) + letter + SEED.slice(at + 1)), { code: "INVALID_ARGUMENT" }, `at ${at}`);
  }
});

test("creds hold a JWT and a seed", async () => {
  const creds = `-----BEGIN NATS USER JWT-----\neyJ.x.y\n------END NATS USER JWT------\n\nwarning\n\n-----BEGIN USER NKEY SEED-----\n${SEED}\n------END USER NKEY SEED------\n`;
  const { jwt, nkey } = await importCredentials(bytes(creds));
  assert.deepEqual([jwt, nkey], ["eyJ.x.y", PUBLIC]);
  await assert.rejects(importCredentials("nothing"), { code: "INVALID_ARGUMENT" });
});

test("authenticators answer as nats-core's do", async () => {
  assert.deepEqual(await usernamePasswordAuthenticator("me", () => "secret")(), { user: "me", pass: "secret" });
  assert.deepEqual(await usernamePasswordAuthenticator("me")(), { user: "me" });
  assert.deepEqual(await tokenAuthenticator(() => "t")(), { auth_token: "t" });
  assert.deepEqual(await jwtAuthenticator("bearer")(), { jwt: "bearer" });
  const answer = (await nkeyAuthenticator(SEED)("n")) as { nkey: string; sig: string };
  assert.equal(answer.nkey, PUBLIC);
  assert.match(answer.sig, /^[\w-]{86}$/);
  assert.equal(((await jwtAuthenticator(() => "fresh", SEED)("n")) as { jwt: string }).jwt, "fresh");
});

test("a key can be handed to the worker, a function cannot", async () => {
  assert.equal((await keyOf(nkeyAuthenticator(bytes(SEED))))?.nkey, PUBLIC);
  assert.equal((await keyOf(jwtAuthenticator("j", SEED)))?.jwt, "j");
  assert.equal(keyOf(jwtAuthenticator(() => "j", SEED)), undefined);
  assert.equal(keyOf(tokenAuthenticator("t")), undefined);
});

test("bad creds are reported by the authenticator, not as an unhandled rejection", async () => {
  const authenticator = credsAuthenticator("nothing");
  await new Promise((resolve) => setImmediate(resolve));
  await assert.rejects(Promise.resolve(authenticator("n")), { code: "INVALID_ARGUMENT" });
});
