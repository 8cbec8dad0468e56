import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { chunkIndex } from "../src/chunks.ts";
import { delay } from "../src/delay.ts";
import { Code, JetStreamApiError, PermissionViolationError, errorFromCode, toCode } from "../src/errors.ts";
import { headersFromRecord } from "../src/headers.ts";
import { checkBucket, kvSubject } from "../src/kv.ts";
import { metaSubjects } from "../src/objects.ts";
import { placeOf } from "../src/pull.ts";
import { Queue } from "../src/queue.ts";
import { Sha256 } from "../src/sha256.ts";
import { Deadlines } from "../src/page/deadlines.ts";

test("keys become subjects, and bad keys are refused", () => {
  assert.equal(kvSubject("b", "a.b-c/d=e_f"), "$KV.b.a.b-c/d=e_f");
  assert.equal(kvSubject("b", "a.*.>", true), "$KV.b.a.*.>");
  for (const key of ["", ".a", "a.", "a..b", "a b", "a.*", ">", "ä", "a\n"]) assert.throws(() => kvSubject("b", key), { code: "INVALID_ARGUMENT" }, JSON.stringify(key));
  for (const key of [">.a", "a.>b", ""]) assert.throws(() => kvSubject("b", key, true), { code: "INVALID_ARGUMENT" }, key);
  for (const bucket of ["", "a b", "a.b", "*"]) assert.throws(() => checkBucket(bucket), { code: "INVALID_ARGUMENT" }, bucket);
});

test("objects' names become padded base64url; nats.js writes Latin-1", () => {
  assert.deepEqual(metaSubjects("b", "a"), ["$O.b.M.YQ=="]);
  assert.deepEqual(metaSubjects("b", "ß?>"), ["$O.b.M.w58_Pg==", "$O.b.M.3z8-"]);
  assert.equal(metaSubjects("b", "☃").length, 1);
  assert.throws(() => metaSubjects("b", ""), { code: "INVALID_ARGUMENT" });
});

test("a message's place is read from its reply subject, old form and new", () => {
  const expected = { seq: 5, consumerSeq: 2, time: new Date(1_700_000_000_000), pending: 9 };
  for (const reply of ["$JS.ACK.S.C.1.5.2.1700000000000000000.9", "$JS.ACK._.hash.S.C.1.5.2.1700000000000000000.9", "$JS.ACK.hub.hash.S.C.1.5.2.1700000000000000000.9.token"]) {
    assert.deepEqual(placeOf({ reply }), expected, reply);
  }
  for (const reply of [undefined, "", "_INBOX.x", "$JS.ACK.S"]) assert.throws(() => placeOf({ reply }), { name: "JetStreamError" });
});

test("a chunk's index follows from how many follow it", () => {
  assert.equal(chunkIndex({ chunks: 10 }, { headers: headersFromRecord({ "Nats-Num-Pending": ["7"] }) }), 2);
  assert.equal(chunkIndex({ chunks: 1 }, { headers: headersFromRecord({ "Nats-Num-Pending": ["0"] }) }), 0);
});

test("SHA-256 of any length, in any parts", () => {
  for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 1000, 100_003]) {
    const data = Uint8Array.from({ length }, (_, index) => (index * 7) & 0xff);
    const sha = new Sha256();
    for (let at = 0; at < length; at += 37) sha.update(data.subarray(at, at + 37));
    assert.equal(Buffer.from(sha.digest()).toString("hex"), createHash("sha256").update(data).digest("hex"), `length ${length}`);
  }
});

test("errors keep their class across a port", () => {
  for (const [name, code] of Object.entries(Code)) {
    if (code === Code.Ok) continue;
    const error = errorFromCode(code, "text", "subject");
    assert.deepEqual(toCode(error).code, code, name);
    assert.equal(errorFromCode(toCode(error).code, "text", "subject").name, error.name);
  }
  assert.equal(errorFromCode(Code.NoResponders, undefined, "a").name, "RequestError");
  assert.equal((errorFromCode(Code.NoResponders, undefined, "a").cause as Error).name, "NoRespondersError");
  assert.deepEqual(toCode(new Error("plain")), { code: Code.Connection, text: "plain" });
  assert.deepEqual(toCode(Object.assign(new Error("numbered"), { code: 9 })), { code: 9, text: "numbered" });
});

test("a permission error says of what", () => {
  const error = new PermissionViolationError('Permissions Violation for Subscription to "a.b" using queue "q"');
  assert.deepEqual([error.operation, error.subject, error.queue], ["subscription", "a.b", "q"]);
  assert.equal(new PermissionViolationError('Permissions Violation for Publish to "x"').operation, "publish");
});

test("errors of the JetStream API have codes to branch on", () => {
  assert.equal(new JetStreamApiError({ code: 400, err_code: 10071, description: "wrong last sequence: 3" }).code, "WRONG_LAST_SEQUENCE");
  assert.equal(new JetStreamApiError({ code: 404, err_code: 10059, description: "stream not found" }).code, "NOT_FOUND");
  assert.equal(new JetStreamApiError({ code: 503, err_code: 1, description: "x" }).code, "JETSTREAM_API");
});

test("a queue hands over in order, ends after what waits, and throws its error once", async () => {
  const queue = new Queue<number>();
  const early = queue.next();
  queue.push(1);
  for (const n of [2, 3, 4]) queue.push(n);
  queue.end(new Error("the end"));
  queue.push(5);
  assert.deepEqual(await early, { value: 1, done: false });
  const seen: number[] = [];
  await assert.rejects(async () => {
    for await (const n of queue) seen.push(n);
  }, /the end/);
  assert.deepEqual(seen, [2, 3, 4]);
  assert.equal((await queue.next()).done, true);
});

test("leaving a loop tells the queue's owner", async () => {
  let left = 0;
  const queue = new Queue<number>(() => (left += 1));
  queue.push(1);
  queue.push(2);
  for await (const _n of queue) break;
  assert.equal(left, 1);
  assert.equal(queue.pending, 0);
});

test("a page that slept gives answers time to come", async (context) => {
  const missed: number[] = [];
  const now = performance.now.bind(performance);
  let sleptMs = 0;
  context.mock.method(performance, "now", () => now() + sleptMs);
  const deadlines = new Deadlines((operation) => missed.push(operation));
  deadlines.set(1, 500);
  deadlines.set(2, 500);
  sleptMs = 60_000;
  // The check comes once a second, and gives two more.
  await delay(1500);
  assert.deepEqual(missed, []);
  deadlines.met(1);
  while (missed.length === 0) await delay(100);
  assert.deepEqual(missed, [2]);
});

test("an operation that nobody answers is given up, one that was answered is not", async () => {
  const missed: number[] = [];
  const given = new Promise<void>((resolve) => {
    const deadlines = new Deadlines((operation) => {
      missed.push(operation);
      resolve();
    });
    // The grace of two seconds comes on top.
    deadlines.set(1, -1900);
    deadlines.set(2, -1900);
    deadlines.met(2);
  });
  await given;
  assert.deepEqual(missed, [1]);
});
