// JetStream, key-value stores and object reads: the same in a module worker, in a classic worker and in the page.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { Objm } from "@nats-io/obj";
import { until } from "./lib/until.mjs";
import { MODES, startWorld } from "./lib/world.mjs";

let world;
let bytes;

before(async () => {
  world = await startWorld();
  bytes = Uint8Array.from({ length: 1_000_003 }, (_, index) => (index * 31 + (index >> 8)) & 0xff);
  const manager = await jetstreamManager(world.nc);
  await manager.streams.add({ name: "ORDERS", subjects: ["orders.*"], placement: { cluster: "dal" } });
  await new Kvm(world.nc).create("settings", { history: 5, placement: { cluster: "dal" } });
  const store = await new Objm(world.nc).create("files", { placement: { cluster: "dal" } });
  await store.putBlob({ name: "before.bin" }, bytes.subarray(0, 1000));
  await store.putBlob({ name: "folder/größe.bin", description: "bytes", options: { max_chunk_size: 100_000 } }, bytes);
  await store.putBlob({ name: "empty.bin" }, new Uint8Array(0));
});

after(() => world?.stop());

for (const mode of MODES) {
  describe(mode.name, () => {
    let page;
    const run = (work, argument) => page.evaluate(work, argument);

    before(async () => {
      page = await world.connected(mode, { name: `streams, ${mode.name}` });
    });
    after(() => page?.context().close());

    it("publishes to a stream, once per message id", async () => {
      const acks = await run(async (mode) => {
        const js = natsGeo.jetstream(nc);
        const acks = [await js.publish("orders.a", "1", { msgID: `${mode} 1` }), await js.publish("orders.a", "1", { msgID: `${mode} 1` })];
        const wrong = await outcome(() => js.publish("orders.a", "2", { expect: { lastSequence: 1_000_000 } }));
        const nobody = await outcome(() => js.publish("no.stream", "3", { retries: 1 }));
        return { acks, wrong, nobody };
      }, mode.name);
      assert.deepEqual(acks.acks.map(({ stream, duplicate }) => [stream, duplicate]), [["ORDERS", false], ["ORDERS", true]]);
      assert.equal(acks.acks[0].seq, acks.acks[1].seq);
      assert.equal(acks.wrong.error.name, "JetStreamApiError");
      assert.equal(acks.wrong.error.code, "WRONG_LAST_SEQUENCE");
      assert.equal(acks.nobody.error.code, "NO_RESPONDERS");
      assert.ok(acks.nobody.ms >= 250, "not tried again");
    });

    it("reads and writes a key-value store", async () => {
      const prefix = mode.name.replaceAll(" ", "-");
      const result = await run(async (prefix) => {
        const kv = await new natsGeo.Kvm(nc).open("settings");
        const key = (name) => `${prefix}.${name}`;
        const first = await kv.create(key("color"), "red");
        const taken = await outcome(() => kv.create(key("color"), "green"));
        const second = await kv.update(key("color"), "blue", first);
        const stale = await outcome(() => kv.update(key("color"), "pink", first));
        await kv.put(key("size"), new Uint8Array([1, 2, 3]));
        await kv.put(key("gone"), "x");
        await kv.delete(key("gone"));
        const color = await kv.get(key("color"));
        const gone = await kv.get(key("gone"));
        const old = await kv.get(key("color"), { revision: first });
        const again = await kv.create(key("gone"), "back");
        await kv.purge(key("gone"));
        const keys = [];
        for await (const name of await kv.keys(`${prefix}.>`)) keys.push(name);
        const history = [];
        for await (const entry of await kv.history({ key: key("color") })) history.push([entry.operation, entry.string()]);
        const none = [];
        for await (const name of await kv.keys("nothing.>")) none.push(name);
        return {
          rises: second > first && again > second, taken, stale, color: [color.string(), color.revision === second, color.operation],
          gone: gone.operation, old: old.string(), missing: await kv.get(key("missing")), keys: keys.sort(), history, none,
          bad: await outcome(() => kv.put("a b", "")), noBucket: await outcome(() => new natsGeo.Kvm(nc).open("nowhere")),
        };
      }, prefix);
      assert.ok(result.rises);
      assert.equal(result.taken.error.code, "WRONG_LAST_SEQUENCE");
      assert.equal(result.stale.error.code, "WRONG_LAST_SEQUENCE");
      assert.deepEqual(result.color, ["blue", true, "PUT"]);
      assert.equal(result.gone, "DEL");
      assert.equal(result.old, "red");
      assert.equal(result.missing, null);
      assert.deepEqual(result.keys, [`${prefix}.color`, `${prefix}.size`]);
      assert.deepEqual(result.history, [["PUT", "red"], ["PUT", "blue"]]);
      assert.deepEqual(result.none, []);
      assert.equal(result.bad.error.code, "INVALID_ARGUMENT");
      assert.equal(result.noBucket.error.code, "NOT_FOUND");
    });

    it("watches keys: what is there, then what changes", async () => {
      const prefix = `watch-${mode.name.replaceAll(" ", "-")}`;
      const kv = await new Kvm(world.nc).open("settings");
      await kv.put(`${prefix}.a`, "1");
      await kv.put(`${prefix}.b`, "2");
      await run(async (prefix) => {
        const kv = await new natsGeo.Kvm(nc).open("settings");
        window.seen = [];
        window.isInitialized = false;
        window.watching = await kv.watch({ key: `${prefix}.>`, initialized: () => (window.isInitialized = true) });
        window.watchEnded = (async () => {
          for await (const entry of window.watching) window.seen.push(`${entry.key.split(".")[1]} ${entry.operation} ${entry.string()}`);
          return true;
        })();
      }, prefix);
      await page.waitForFunction(() => window.isInitialized && window.seen.length === 2);
      await kv.put(`${prefix}.a`, "3");
      await kv.delete(`${prefix}.b`);
      await page.waitForFunction(() => window.seen.length === 4);
      const seen = await run(async () => {
        window.watching.stop();
        await window.watchEnded;
        return window.seen;
      });
      assert.deepEqual(seen, ["a PUT 1", "b PUT 2", "a PUT 3", "b DEL "]);
    });

    it("reads objects, whole and in part", async () => {
      const result = await run(async () => {
        const store = await new natsGeo.Objm(nc).open("files");
        const name = "folder/größe.bin";
        const digest = async (data) => [...new Uint8Array(await crypto.subtle.digest("SHA-256", data))];
        const info = await store.info(name);
        const whole = await store.getBlob(name);
        const parts = [];
        for (const [start, end] of [[0, 0], [99_999, 100_000], [250_000, 649_999], [1_000_002, 1_000_002]]) {
          parts.push([start, end, await digest(await store.getBlob(name, { range: { start, end } }))]);
        }
        const { data } = await store.get(name);
        const reader = data.getReader();
        const first = await reader.read();
        await reader.cancel();
        return {
          size: info.size, chunks: info.chunks, description: info.description, digest: await digest(whole), parts, first: first.value.byteLength,
          names: (await store.list()).map((one) => one.name).sort(), empty: (await store.getBlob("empty.bin")).byteLength, missing: await store.get("missing"),
          outside: await outcome(() => store.get(name, { range: { start: 5, end: 1_000_003 } })),
        };
      });
      const digest = async (data) => [...new Uint8Array(await crypto.subtle.digest("SHA-256", data))];
      assert.equal(result.size, bytes.byteLength);
      assert.equal(result.chunks, 11);
      assert.equal(result.description, "bytes");
      assert.deepEqual(result.digest, await digest(bytes));
      for (const [start, end, found] of result.parts) assert.deepEqual(found, await digest(bytes.subarray(start, end + 1)), `bytes ${start}-${end}`);
      assert.equal(result.first, 100_000);
      assert.deepEqual(result.names, ["before.bin", "empty.bin", "folder/größe.bin"]);
      assert.equal(result.empty, 0);
      assert.equal(result.missing, null);
      assert.equal(result.outside.error.code, "INVALID_ARGUMENT");
    });

    it("fetches no more of an object than is read", async () => {
      const [{ server, connection }] = await until("one connection", async () => {
        const clients = await world.cluster.clients(`streams, ${mode.name}`);
        return clients.length === 1 && clients;
      });
      const bytesTo = async () => {
        await run(() => nc.flush());
        return (await world.cluster.connections(server)).find(({ cid }) => cid === connection.cid).out_bytes;
      };
      const before = await bytesTo();
      await run(async () => {
        const { data } = await (await new natsGeo.Objm(nc).open("files")).get("folder/größe.bin");
        window.reader = data.getReader();
        await window.reader.read();
      });
      // Half a second is ten round trips to where the object is: what is sent unasked would be here.
      await new Promise((resolve) => setTimeout(resolve, 500));
      const read = (await bytesTo()) - before;
      await run(() => window.reader.cancel());
      assert.ok(read > 100_000 && read < 250_000, `${read} bytes came for one chunk of 100,000`);
    });
  });
}
