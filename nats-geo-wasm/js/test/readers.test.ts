// Reading streams and objects from a server that loses, repeats and reorders.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ObjectInfo } from "../types/jetstream.js";
import { ChunkReader } from "../src/chunks.ts";
import { JetStreamApiError } from "../src/errors.ts";
import { JetStreamApi } from "../src/jetstream.ts";
import { hasRestarted, pull } from "../src/pull.ts";
import { block, bytes, served, text, type Answer } from "./helpers.ts";

const place = (seq: number, consumerSeq: number, pending: number): string => `$JS.ACK.S.C.1.${seq}.${consumerSeq}.1700000000000000000.${pending}`;

/** When every message was stored, as in `place`. */
const FIRST = "2023-11-14T22:13:20Z";

/** A stream of `last` messages, each with its sequence as text; `send` decides what a pull brings, `isGone` whether it exists. */
function stream(last: number, send: (from: number, answer: Answer, consumers: number) => void, isGone = () => false): { api: JetStreamApi; created: object[] } {
  const created: { deliver_policy: string; opt_start_seq?: number }[] = [];
  const nc = served((subject, payload, answer) => {
    if (/^\$JS\.API\.(STREAM\.INFO|CONSUMER\.CREATE)/.test(subject) && isGone()) return answer({ payload: bytes(NOT_FOUND) });
    if (subject.startsWith("$JS.API.CONSUMER.CREATE")) {
      const { config } = JSON.parse(payload);
      created.push({ deliver_policy: config.deliver_policy, opt_start_seq: config.opt_start_seq });
      const from = config.opt_start_seq ?? (config.deliver_policy === "new" ? last + 1 : 1);
      answer({ payload: bytes(JSON.stringify({ name: config.name, num_pending: Math.max(0, last + 1 - from), delivered: { stream_seq: from - 1 } })) });
    }
    if (subject.startsWith("$JS.API.STREAM.INFO")) answer({ payload: bytes(JSON.stringify({ state: { first_seq: 1, first_ts: FIRST, last_seq: last } })) });
    if (subject.startsWith("$JS.API.CONSUMER.MSG.NEXT")) send(created.at(-1)?.opt_start_seq ?? 1, answer, created.length);
  });
  return { api: new JetStreamApi(nc), created };
}

const NOT_FOUND = JSON.stringify({ error: { code: 404, err_code: 10059, description: "stream not found" } });

async function readAll(api: JetStreamApi): Promise<string[]> {
  const { messages } = await pull(api, "S", { filters: [">"], deliver: "all", untilCaughtUp: true });
  const found: string[] = [];
  for await (const { message } of messages) found.push(text(message.data));
  return found;
}

const sendAll = (from: number, answer: Answer): void => {
  for (let seq = from; seq <= 5; seq += 1) answer({ payload: bytes(String(seq)), reply: place(seq, seq - from + 1, 5 - seq) });
};

test("messages that are lost on the way are read again, in order and once", async () => {
  const { api, created } = stream(5, (from, answer, consumers) => {
    if (consumers > 1) return sendAll(from, answer);
    for (const seq of [1, 2, 4, 5]) answer({ payload: bytes(String(seq)), reply: place(seq, seq, 5 - seq) });
  });
  assert.deepEqual(await readAll(api), ["1", "2", "3", "4", "5"]);
  assert.deepEqual(created, [{ deliver_policy: "all", opt_start_seq: undefined }, { deliver_policy: "by_start_sequence", opt_start_seq: 3 }]);
});

// Without the heartbeat it would be noticed by the silence, after ten seconds.
test("what is lost at the end is noticed by the heartbeat", { timeout: 5000 }, async () => {
  const { api } = stream(5, (from, answer, consumers) => {
    if (consumers > 1) return sendAll(from, answer);
    answer({ payload: bytes("1"), reply: place(1, 1, 4) });
    answer({ headers: bytes("NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 5\r\n\r\n") });
  });
  assert.deepEqual(await readAll(api), ["1", "2", "3", "4", "5"]);
});

test("a stored message with a status in its headers is a message", async () => {
  const { api, created } = stream(5, (from, answer) => {
    for (let seq = from; seq <= 5; seq += 1) answer({ payload: bytes(String(seq)), headers: bytes("NATS/1.0 409 Consumer Deleted\r\n\r\n"), reply: place(seq, seq, 5 - seq) });
  });
  assert.deepEqual(await readAll(api), ["1", "2", "3", "4", "5"]);
  assert.equal(created.length, 1);
});

test("a stream that has begun again is told by its last sequence, or by the age of what precedes", () => {
  const read = new Date("2024-01-02");
  const state = (first_seq: number, last_seq: number, first_ts: string) => ({ first_seq, last_seq, first_ts });
  assert.equal(hasRestarted(state(1, 9, "2024-01-01"), 9, read), false);
  assert.equal(hasRestarted(state(1, 8, "2024-01-01"), 9, read), true);
  assert.equal(hasRestarted(state(0, 0, "0001-01-01T00:00:00Z"), 9, read), true);
  assert.equal(hasRestarted(state(0, 0, "0001-01-01T00:00:00Z"), 0, undefined), false);
  assert.equal(hasRestarted(state(1, 20, "2024-01-03"), 9, read), true);
  assert.equal(hasRestarted(state(15, 20, "2024-01-03"), 9, read), false, "older ones were removed");
});

test("a consumer that is gone is replaced, one whose pull has ended is asked again", async () => {
  let asked = 0;
  const { api, created } = stream(5, (from, answer) => {
    asked += 1;
    if (asked === 1) return answer({ headers: bytes("NATS/1.0 408 Request Timeout\r\n\r\n") });
    if (asked === 2) return answer({ headers: bytes("NATS/1.0 409 Consumer Deleted\r\n\r\n") });
    sendAll(from, answer);
  });
  assert.deepEqual(await readAll(api), ["1", "2", "3", "4", "5"]);
  assert.equal(created.length, 2);
  assert.equal(asked, 3);
});

test("a stream that is away for a moment is read on, one that stays away ends the reading", async () => {
  for (const missing of [1, Infinity]) {
    let [isDeleted, asked] = [false, 0];
    const send = (from: number, answer: Answer, consumers: number): void => {
      isDeleted = true;
      if (consumers > 1) return sendAll(from, answer);
      answer({ payload: bytes("1"), reply: place(1, 1, 4) });
      answer({ headers: bytes("NATS/1.0 409 Consumer Deleted\r\n\r\n") });
    };
    const { api, created } = stream(5, send, () => isDeleted && ++asked <= missing);
    const read = readAll(api);
    if (missing === 1) assert.deepEqual(await read, ["1", "2", "3", "4", "5"]);
    else await assert.rejects(read, (error) => error instanceof JetStreamApiError && error.status === 404);
    assert.equal(created.length, missing === 1 ? 2 : 1);
    assert.equal(asked, missing === 1 ? 3 : 2, "it asks twice before it ends");
  }
});

test("leaving a loop that waits ends it", async () => {
  const { api } = stream(5, () => {});
  const { messages } = await pull(api, "S", { filters: [">"], deliver: "new" });
  const next = messages.next();
  messages.stop();
  assert.equal((await next).done, true);
});

const CHUNK = 4;
const INFO = { name: "o", nuid: "n", size: 14, chunks: 4, revision: 50, options: { max_chunk_size: CHUNK } } as ObjectInfo;

/** Chunks "0000", "1111", "2222", "33" at the sequences 11, 12, ... `order` says which of them a batch brings. */
function chunks(order: (batch: number) => number[]): JetStreamApi {
  let batches = 0;
  const nc = served((_subject, payload, answer) => {
    const { seq, batch } = JSON.parse(payload) as { seq: number; batch: number };
    const send = (index: number): void =>
      answer({ payload: bytes(String(index).repeat(index === 3 ? 2 : CHUNK)), headers: block({ "Nats-Num-Pending": INFO.chunks - 1 - index, "Nats-Sequence": 11 + index }) });
    const first = Math.max(0, seq - 11);
    // The search for the first chunk asks for one message, and gets that or word that there is none.
    if (batch === 1 && first >= INFO.chunks) return answer({ headers: bytes("NATS/1.0 404 Message Not Found\r\n\r\n") });
    if (batch === 1 && batches === 0) return send(first);
    batches += 1;
    order(batches).forEach(send);
    answer({ headers: bytes("NATS/1.0 204 EOB\r\n\r\n") });
  });
  return new JetStreamApi(nc);
}

async function content(api: JetStreamApi, start = 0, end = INFO.size - 1): Promise<string> {
  const reader = new ChunkReader(api, "S", "$O.b.C.n", INFO, start, end);
  let found = "";
  for (let part = await reader.next(); part; part = await reader.next()) found += text(part);
  return found;
}

test("chunks are found wherever they are, and cut to the range", async () => {
  const api = () => chunks((batch) => (batch === 1 ? [0, 1, 2, 3] : assert.fail("one batch holds them all")));
  assert.equal(await content(api()), "00001111222233");
  assert.equal(await content(api(), 3, 12), "0111122223");
  assert.equal(await content(api(), 13, 13), "3");
});

test("a chunk that comes twice is taken once, and one that is missing is never skipped", async () => {
  assert.equal(await content(chunks((batch) => [[], [0, 1, 1], [1, 2, 3]][batch] ?? [])), "00001111222233");
  await assert.rejects(content(chunks(() => [1, 3])), { code: "INCOMPLETE" });
});
