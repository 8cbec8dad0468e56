// One connection for many pages: who gets what, and what a page that does not read costs.

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import type { BackendEvents } from "../src/backend.ts";
import { FrameWriter, decodeFrame, forEachFrame } from "../src/frames.ts";
import type { FromWorker } from "../src/protocol.ts";
import { WorkerBackend } from "../src/page/worker-backend.ts";
import { Hub } from "../src/worker/hub.ts";
import { Session } from "../src/worker/session.ts";
import { bytes, frame, text } from "./helpers.ts";

/** The events of a client that keeps what is delivered: ids and payloads. */
function client(): { events: BackendEvents; got: [number, string][] } {
  const got: [number, string][] = [];
  const deliver = (frames: Uint8Array): void =>
    forEachFrame(frames, (offset, _length, view) => {
      const { id, payload } = decodeFrame(frames, view, offset);
      got.push([id, text(payload)]);
    });
  return { events: { opened() {}, terminated() {}, forgotten() {}, completed() {}, notice() {}, state() {}, deliver }, got };
}

test("each client gets what is its own, by its own numbers", () => {
  const hub = new Hub(() => {});
  const [one, other] = [client(), client()];
  const [first, second] = [hub.join(one.events), hub.join(other.events)];
  const ids = [hub.own(first, 1, true), hub.own(second, 1, true), hub.own(second, 2, true)];
  const batch = (...frames: [number, string][]): Uint8Array => {
    const writer = new FrameWriter();
    for (const [id, payload] of frames) writer.write(frame({ id, payload: bytes(payload) }));
    return writer.take();
  };
  hub.deliver(batch([ids[0]!, "a"], [ids[1]!, "b"], [ids[0]!, "c"], [ids[2]!, "d"], [99, "nobody's"]));
  hub.deliver(batch([ids[2]!, "e"], [ids[1]!, "f"]));
  hub.disown(ids[1]!);
  hub.deliver(batch([ids[1]!, "late"], [ids[2]!, "g"]));
  assert.deepEqual(one.got, [[1, "a"], [1, "c"]]);
  assert.deepEqual(other.got, [[1, "b"], [2, "d"], [2, "e"], [1, "f"], [2, "g"]]);
});

test("a subject that no frame can hold is refused, and not cut into another", () => {
  const backend = new WorkerBackend("/", undefined, undefined, client().events);
  const long = "a".repeat(70_000);
  assert.throws(() => backend.publish(long, undefined, undefined, bytes("")), { code: "INVALID_ARGUMENT" });
  assert.throws(() => backend.publish("a", long, undefined, bytes("")), { code: "INVALID_ARGUMENT" });
  backend.publish("a".repeat(20_000), undefined, undefined, bytes(""));
});

test("a page that takes nothing gets 16 MiB and no more, and hears of it when it reads again", { timeout: 10_000 }, async (context) => {
  const { port1, port2 } = new MessageChannel();
  // A port that is open keeps the process.
  context.after(() => port2.close());
  const received: FromWorker[] = [];
  const session = new Session("page", port1 as never, false, () => {});
  const events = session.events();
  const megabyte = 1024 * 1024;
  for (let index = 0; index < 40; index += 1) events.deliver(new Uint8Array(megabyte));
  port2.addEventListener("message", ({ data }: MessageEvent<FromWorker>) => void received.push(data));
  port2.start();
  const count = (): number => received.filter(([what]) => what === "deliver").length;
  // The answer to a ping comes after all that was delivered.
  let pings = 0;
  const pong = async (): Promise<void> => {
    port2.postMessage(["ping"]);
    pings += 1;
    while (received.filter(([what]) => what === "pong").length < pings) await once(port2 as never, "message");
  };
  await pong();
  assert.ok(count() >= 16 && count() <= 18, `${count()} MiB`);
  port2.postMessage(["taken", count() * megabyte]);
  await pong();
  assert.ok(received.some((message) => message[0] === "notice" && /dropped \d+ batches/.test(message[1].text ?? "")));
  const before = count();
  events.deliver(new Uint8Array(megabyte));
  await pong();
  assert.equal(count(), before + 1);
  session.end();
});
