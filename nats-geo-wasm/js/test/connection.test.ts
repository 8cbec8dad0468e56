import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServerInfo, Status } from "../types/nats.js";
import type { Backend } from "../src/backend.ts";
import { Connection } from "../src/connection.ts";
import { LinkLostError } from "../src/errors.ts";
import { FrameWriter } from "../src/frames.ts";
import { headers } from "../src/headers.ts";
import { bytes, frame } from "./helpers.ts";

/** A connection over a backend that only notes what it is asked, but for what `special` says. */
function connected(special: Partial<Backend> = {}): { nc: Connection; asked: unknown[][] } {
  const asked: unknown[][] = [];
  const note = (name: string) => (...values: unknown[]) => void asked.push([name, ...values]);
  const backend = new Proxy({} as Backend, { get: (_target, name: keyof Backend) => special[name] ?? note(name) });
  const nc = new Connection("page");
  nc.attach(backend);
  return { nc, asked };
}

function deliver(nc: Connection, sid: number, ...payloads: Uint8Array[]): void {
  const writer = new FrameWriter();
  for (const payload of payloads) writer.write(frame({ id: sid, subject: "a", payload }));
  nc.deliver(writer.take());
}

test("numbers that no limit can be are refused before anything is asked", async () => {
  const { nc, asked } = connected();
  for (const bad of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, "x"] as number[]) {
    const refused = { code: "INVALID_ARGUMENT", message: new RegExp(String(bad)) };
    assert.throws(() => nc.subscribe("a", { max: bad }), refused, `max ${bad}`);
    assert.throws(() => nc.subscribe("a", { timeout: bad }), refused, `timeout ${bad}`);
    await assert.rejects(nc.request("a", "", { timeout: bad }), refused, `request ${bad}`);
    await assert.rejects(nc.requestMany("a", "", { maxWait: bad }), refused, `maxWait ${bad}`);
    await assert.rejects(nc.requestMany("a", "", { strategy: "stall", stall: bad }), refused, `stall ${bad}`);
  }
  assert.throws(() => nc.subscribe("a", { max: 1.5 }), { code: "INVALID_ARGUMENT" });
  assert.deepEqual(asked, []);
});

test("a subscription that the backend refuses is not there afterwards", () => {
  const subscribed: string[] = [];
  let isReplaced = true;
  const { nc } = connected({
    subscribe: (_sid, subject) => {
      if (isReplaced) throw new LinkLostError("the engine is being replaced");
      subscribed.push(subject);
    },
  });
  assert.throws(() => nc.subscribe("refused"), { code: "LINK_LOST" });
  isReplaced = false;
  nc.subscribe("taken");
  nc.forgotten("a new engine");
  assert.deepEqual(subscribed, ["taken", "taken"]);
});

test("a subscription ends for its reader though the backend fails", async () => {
  const { nc } = connected({
    unsubscribe: () => {
      throw new LinkLostError("the engine is being replaced");
    },
  });
  const subscription = nc.subscribe("a");
  assert.throws(() => subscription.unsubscribe(), { code: "LINK_LOST" });
  assert.equal(await subscription.closed, undefined);
  assert.equal(subscription.isClosed(), true);
});

test("what is dropped is told, also after a warning that many wait", async () => {
  const { nc } = connected();
  const told: Status[] = [];
  const statuses = nc.status()[Symbol.asyncIterator]();
  const subscription = nc.subscribe("a", { slow: 1 });
  const megabyte = new Uint8Array(1024 * 1024);
  for (let index = 0; index < 70; index += 1) deliver(nc, subscription.getID(), megabyte);
  await nc.close();
  for (let next = await statuses.next(); !next.done; next = await statuses.next()) told.push(next.value);
  assert.deepEqual(told.map(({ type, dropped }) => [type, dropped]), [["slowConsumer", false], ["slowConsumer", true], ["close", undefined]]);
});

test("an iterator gives what waits, then the end; max counts what came", async () => {
  const { nc, asked } = connected();
  const subscription = nc.subscribe("a", { max: 2 });
  deliver(nc, subscription.getID(), bytes("1"), bytes("2"), bytes("3"));
  const texts: string[] = [];
  for await (const message of subscription) texts.push(message.string());
  assert.deepEqual(texts, ["1", "2"]);
  assert.deepEqual(asked, [["subscribe", subscription.getID(), "a", undefined, 2], ["unsubscribe", subscription.getID(), undefined]]);
});

test("what is asked for again after a loss is what is still wanted", () => {
  const { nc, asked } = connected();
  const some = nc.subscribe("a", { max: 5, queue: "q" });
  const ended = nc.subscribe("b");
  ended.unsubscribe();
  deliver(nc, some.getID(), bytes("1"), bytes("2"));
  asked.length = 0;
  nc.forgotten("the worker was stopped");
  assert.deepEqual(asked, [["subscribe", some.getID(), "a", "q", 3]]);
});

test("operations under way fail when the backend has forgotten them, or the connection has ended", async () => {
  const { nc } = connected();
  const lost = assert.rejects(nc.request("a"), { code: "LINK_LOST", message: "gone" });
  nc.forgotten("gone");
  await lost;
  const closed = assert.rejects(nc.flush(), { code: "CLOSED" });
  await nc.close();
  await closed;
});

test("headers count as payload does", () => {
  const { nc } = connected();
  nc.state({ server: "", info: { max_payload: 20 } as ServerInfo, regions: [], servers: [] });
  const hdrs = headers();
  hdrs.set("a", "b");
  nc.publish("a", "x".repeat(20));
  assert.throws(() => nc.publish("a", "x".repeat(20), { headers: hdrs }), { code: "PAYLOAD_TOO_LARGE" });
});

test("many answers come to an inbox of the connection's prefix", async () => {
  const { nc, asked } = connected();
  nc.state({ server: "", info: undefined, regions: [], servers: [], inboxPrefix: "_MINE.me" });
  const answers = await nc.requestMany("a", "", { strategy: "count", maxMessages: 1 });
  const [[, sid, subject] = []] = asked as [string, number, string][];
  assert.match(subject!, /^_MINE\.me\.\w{22}$/);
  deliver(nc, sid!, bytes("answer"));
  for await (const message of answers) assert.equal(message.string(), "answer");
});
