// The client: the same in a module worker, in a classic worker and in the page.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { Objm } from "@nats-io/obj";
import { headers } from "@nats-io/transport-node";
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
      page = await world.connected(mode, { name: `client, ${mode.name}` });
    });
    after(() => page?.context().close());

    it("is connected to the nearest region", async () => {
      // While it starts, it measures the other regions too.
      await until("its one connection is in lon", async () => {
        const clients = await world.cluster.clients(`client, ${mode.name}`);
        return clients.length === 1 && clients[0].server.region.name === "lon";
      });
      const seen = await run(async () => ({ cluster: nc.info.cluster, live: nc.getServer(), mode: nc.mode, rtt: await nc.rtt(), region: (await nc.snapshot()).liveRegion }));
      assert.equal(seen.cluster, "lon");
      assert.equal(seen.region, "lon");
      assert.equal(seen.mode, mode.isWorker ? "worker" : "page");
      assert.equal(world.cluster.at(seen.live).region.name, "lon");
      assert.ok(seen.rtt >= 4, `a round trip of ${seen.rtt} ms is less than the emulated 4 ms`);
    });

    it("ranks the regions by distance", async () => {
      await page.waitForFunction(() => ["lon", "ams", "dal"].every((name) => nc.regions.includes(name)));
      const regions = await run(() => nc.regions);
      assert.deepEqual(regions, ["lon", "ams", "dal"]);
    });

    it("publishes and subscribes, with wildcards, headers and bytes", async () => {
      const received = await run(async () => {
        const subscription = nc.subscribe("greet.*.>", { max: 3 });
        await nc.flush();
        const headers = natsGeo.headers();
        headers.append("Color", "blue");
        headers.append("Color", "grün");
        nc.publish("greet.a.b", "text");
        nc.publish("greet.a.b.c", new Uint8Array([0, 255, 13, 10]), { headers, reply: "nobody.here" });
        nc.publish("greet.x.y");
        const messages = [];
        for await (const message of subscription) {
          messages.push([message.subject, [...message.data], message.headers?.values("Color"), message.reply, message.sid === subscription.getID()]);
        }
        return { messages, isClosed: subscription.isClosed(), received: subscription.getReceived(), processed: subscription.getProcessed() };
      });
      assert.deepEqual(received.messages, [
        ["greet.a.b", [...Buffer.from("text")], undefined, undefined, true],
        ["greet.a.b.c", [0, 255, 13, 10], ["blue", "grün"], "nobody.here", true],
        ["greet.x.y", [], undefined, undefined, true],
      ].map(([subject, data, colors, reply, isOwn]) => [subject, data, colors ?? undefined, reply ?? undefined, isOwn]));
      assert.ok(received.isClosed);
      assert.equal(received.received, 3);
      assert.equal(received.processed, 3);
    });

    it("hears a client in another region, and is heard", async () => {
      const answered = run(async () => {
        const subscription = nc.subscribe("across.in", { max: 1 });
        await nc.flush();
        window.isSubscribed = true;
        for await (const message of subscription) {
          nc.publish("across.out", JSON.stringify({ heard: message.json(), from: message.headers.get("From") }));
          return true;
        }
      });
      const answers = world.nc.subscribe("across.out", { max: 1 });
      await page.waitForFunction(() => window.isSubscribed);
      const hdrs = headers();
      hdrs.set("From", "dal");
      // Interest crosses gateways in its own time.
      const heard = (async () => {
        for await (const message of answers) return message.json();
      })();
      const timer = setInterval(() => world.nc.publish("across.in", JSON.stringify({ n: 1 }), { headers: hdrs }), 50);
      assert.deepEqual(await heard, { heard: { n: 1 }, from: "dal" });
      clearInterval(timer);
      await answered;
    });

    it("shares a queue's messages", async () => {
      const counts = await run(async () => {
        const counts = [0, 0, 0];
        const members = counts.map((_, index) => nc.subscribe("work", { queue: "q", callback: () => (counts[index] += 1) }));
        await nc.flush();
        for (let i = 0; i < 300; i++) nc.publish("work", String(i));
        await nc.flush();
        await Promise.all(members.map((member) => member.drain()));
        return counts;
      });
      assert.equal(counts.reduce((sum, count) => sum + count), 300);
      assert.ok(counts.every((count) => count > 30), `unevenly shared: ${counts}`);
    });

    it("requests, and answers requests", async () => {
      const answers = await run(async () => {
        const service = nc.subscribe("upper", { callback: (error, message) => message.respond(message.string().toUpperCase()) });
        await nc.flush();
        const answers = await Promise.all(["a", "b", "ß"].map(async (text) => (await nc.request("upper", text, { timeout: 2000 })).string()));
        service.unsubscribe();
        return answers;
      });
      assert.deepEqual(answers, ["A", "B", "SS"]);
    });

    it("says at once that nobody answers, and in time that nobody has answered", async () => {
      const { none, late } = await run(async () => {
        const silent = nc.subscribe("silent", { callback: () => {} });
        await nc.flush();
        const result = { none: await outcome(() => nc.request("nobody", "", { timeout: 5000 })), late: await outcome(() => nc.request("silent", "", { timeout: 300 })) };
        silent.unsubscribe();
        return result;
      });
      assert.equal(none.error.name, "RequestError");
      assert.equal(none.error.code, "NO_RESPONDERS");
      assert.equal(none.error.cause, "NoRespondersError");
      assert.ok(none.ms < 1000, `only after ${none.ms} ms`);
      assert.equal(late.error.name, "TimeoutError");
      assert.equal(late.error.code, "TIMEOUT");
      assert.ok(late.ms >= 290 && late.ms < 3000, `after ${late.ms} ms`);
    });

    it("collects many answers, by timer, count, stall and sentinel", async () => {
      const counts = await run(async () => {
        const answers = (count, last) => (error, message) => {
          for (let i = 1; i <= count; i++) message.respond(String(i));
          if (last !== undefined) message.respond(last);
        };
        const services = [nc.subscribe("many", { callback: answers(5) }), nc.subscribe("until", { callback: answers(4, "") })];
        await nc.flush();
        const collect = async (subject, options) => {
          const start = performance.now();
          let count = 0;
          for await (const _message of await nc.requestMany(subject, "", options)) count += 1;
          return { count, ms: performance.now() - start };
        };
        const result = {
          timer: await collect("many", { maxWait: 400 }),
          count: await collect("many", { strategy: "count", maxMessages: 3, maxWait: 5000 }),
          stall: await collect("many", { strategy: "stall", stall: 200, maxWait: 5000 }),
          sentinel: await collect("until", { strategy: "sentinel", maxWait: 5000 }),
          nobody: await outcome(() => collect("nobody", { maxWait: 5000 })),
        };
        services.forEach((service) => service.unsubscribe());
        return result;
      });
      assert.equal(counts.timer.count, 5);
      assert.ok(counts.timer.ms >= 390);
      assert.equal(counts.count.count, 3);
      assert.equal(counts.stall.count, 5);
      assert.equal(counts.sentinel.count, 5);
      for (const how of ["count", "stall", "sentinel"]) assert.ok(counts[how].ms < 3000, `${how} took ${counts[how].ms} ms`);
      assert.equal(counts.nobody.error.code, "NO_RESPONDERS");
    });

    it("drains a subscription without losing what is under way", async () => {
      const { handled, isClosed } = await run(async () => {
        let handled = 0;
        const subscription = nc.subscribe("drained");
        await nc.flush();
        const reading = (async () => {
          for await (const _message of subscription) handled += 1;
        })();
        for (let i = 0; i < 2000; i++) nc.publish("drained", String(i));
        await nc.flush();
        await subscription.drain();
        await reading;
        return { handled, isClosed: subscription.isClosed() };
      });
      assert.equal(handled, 2000);
      assert.ok(isClosed);
    });

    it("ends a subscription whose first message is late", async () => {
      const end = await run(async () => {
        const subscription = nc.subscribe("quiet", { timeout: 200 });
        const thrown = await outcome(async () => {
          for await (const _message of subscription);
        });
        return { thrown, closed: failure(await subscription.closed) };
      });
      assert.equal(end.thrown.error.name, "TimeoutError");
      assert.equal(end.closed.code, "TIMEOUT");
    });

    it("keeps order and loses nothing in a burst", async () => {
      const { inOrder, count, stats } = await run(async () => {
        const total = 20_000;
        const payload = new Uint8Array(64);
        const before = nc.stats();
        const subscription = nc.subscribe("burst", { max: total });
        await nc.flush();
        for (let i = 0; i < total; i++) {
          new DataView(payload.buffer).setUint32(0, i);
          nc.publish("burst", payload);
        }
        let count = 0;
        let inOrder = true;
        for await (const message of subscription) {
          inOrder &&= new DataView(message.data.buffer, message.data.byteOffset).getUint32(0) === count;
          count += 1;
        }
        const after = nc.stats();
        return { inOrder, count, stats: { in: after.inMsgs - before.inMsgs, out: after.outMsgs - before.outMsgs, bytes: after.outBytes - before.outBytes } };
      });
      assert.equal(count, 20_000);
      assert.ok(inOrder);
      assert.deepEqual(stats, { in: 20_000, out: 20_000, bytes: 20_000 * 64 });
    });

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
      const [{ server, connection }] = await world.cluster.clients(`client, ${mode.name}`);
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

    it("drains and closes, and says so to everything that waits", async () => {
      const other = await world.connected(mode, { name: `closing, ${mode.name}` });
      const result = await other.evaluate(async () => {
        const received = [];
        const subscription = nc.subscribe("last", { callback: (error, message) => received.push(message?.string()) });
        const types = [];
        const watched = (async () => {
          for await (const status of nc.status()) types.push(status.type);
        })();
        await nc.flush();
        nc.publish("last", "word");
        await nc.drain();
        await watched;
        const closed = await nc.closed();
        return {
          received, closed, isClosed: nc.isClosed(), subscription: subscription.isClosed(), last: types.at(-1),
          publish: await outcome(async () => nc.publish("x")), request: await outcome(() => nc.request("x")), subscribe: await outcome(async () => nc.subscribe("x")), flush: await outcome(() => nc.flush()),
        };
      });
      assert.deepEqual(result.received, ["word"]);
      assert.equal(result.closed, undefined);
      assert.ok(result.isClosed && result.subscription);
      assert.equal(result.last, "close");
      for (const call of ["publish", "request", "subscribe", "flush"]) {
        assert.equal(result[call].error?.name, "ClosedConnectionError", call);
        assert.equal(result[call].error.code, "CLOSED", call);
      }
      await other.context().close();
    });
  });
}
