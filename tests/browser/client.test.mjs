// The client: the same in a module worker, in a classic worker and in the page.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { headers } from "@nats-io/transport-node";
import { until } from "./lib/until.mjs";
import { MODES, regionsRank, startWorld } from "./lib/world.mjs";

let world;

before(async () => {
  world = await startWorld();
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
      await regionsRank(page);
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
        ["greet.a.b", [...Buffer.from("text")], undefined, "", true],
        ["greet.a.b.c", [0, 255, 13, 10], ["blue", "grün"], "nobody.here", true],
        ["greet.x.y", [], undefined, "", true],
      ]);
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

    it("bounds what waits unread by bytes, counts what it drops, and serves others", async () => {
      const result = await run(async () => {
        const statuses = [];
        const watching = nc.status()[Symbol.asyncIterator]();
        void (async () => {
          for (let next = await watching.next(); !next.done; next = await watching.next()) if (next.value.type === "slowConsumer") statuses.push([next.value.sub.getSubject(), next.value.dropped]);
        })();
        const unread = nc.subscribe("bulk", { maxPendingBytes: 4 * 2 ** 20 });
        let others = 0;
        const other = nc.subscribe("bulk", { callback: () => (others += 1) });
        await nc.flush();
        const payload = new Uint8Array(900_000);
        for (let i = 0; i < 40; i++) {
          nc.publish("bulk", payload);
          await nc.flush();
        }
        const seen = { pending: unread.getPending(), dropped: unread.getDropped(), received: unread.getReceived(), others, isClosed: nc.isClosed() };
        unread.unsubscribe();
        other.unsubscribe();
        await watching.return();
        return { ...seen, statuses };
      });
      assert.deepEqual(result, { pending: 4, dropped: 36, received: 40, others: 40, isClosed: false, statuses: [["bulk", true]] });
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

    it("drains when what it was asked, and what it asked, is answered", async () => {
      const other = await world.connected(mode, { name: `draining, ${mode.name}` });
      // It answers half a second later.
      await run(async () => {
        window.slow = nc.subscribe("slow", { callback: (error, message) => void setTimeout(() => message.respond(message.string()), 500) });
        await nc.flush();
      });
      await other.evaluate(async () => {
        const later = () => new Promise((resolve) => setTimeout(resolve, 500));
        nc.subscribe("by.callback", {
          callback: async (error, message) => {
            await later();
            message.respond("callback");
          },
        });
        const read = nc.subscribe("by.iterator");
        void (async () => {
          for await (const message of read) {
            await later();
            message.respond("iterator");
          }
        })();
        // Nobody reads this one, so nobody answers.
        nc.subscribe("unread");
        await nc.flush();
      });
      await run(async () => {
        nc.publish("unread", "x", { reply: "nobody" });
        const ask = (subject) => nc.request(subject, "", { timeout: 5000 }).then((answer) => answer.string(), (error) => error.name);
        window.answers = Promise.all(["by.callback", "by.callback", "by.iterator", "by.iterator"].map(ask));
        await nc.flush();
      });
      const result = await other.evaluate(async () => {
        const asked = Promise.all(Array.from({ length: 100 }, (_, i) => nc.request("slow", String(i), { timeout: 5000 }).then((answer) => answer.string(), (error) => error.name)));
        const drained = await outcome(() => nc.drain());
        return { drained, asked: await asked };
      });
      assert.equal(result.drained.error, undefined);
      assert.deepEqual(result.asked, Array.from({ length: 100 }, (_, i) => String(i)));
      assert.deepEqual(await run(() => window.answers), ["callback", "callback", "iterator", "iterator"]);
      assert.ok(result.drained.ms >= 490 && result.drained.ms < 5000, `after ${result.drained.ms} ms`);
      await run(() => window.slow.unsubscribe());
      await other.context().close();
    });

    it("drains for as long as it may, and no longer", async () => {
      const other = await world.connected(mode, { drainTimeout: 300 });
      const { error, ms } = await other.evaluate(async () => {
        nc.subscribe("never", { callback: () => new Promise(() => {}) });
        await nc.flush();
        nc.publish("never", "", { reply: "nobody" });
        await nc.flush();
        return { ...(await outcome(() => nc.drain())), isClosed: nc.isClosed() };
      });
      assert.deepEqual([error?.name, error?.code], ["TimeoutError", "TIMEOUT"]);
      assert.ok(ms >= 290 && ms < 3000, `after ${ms} ms`);
      await other.context().close();
    });

    it("drains and closes, and says so to everything that waits", async () => {
      const other = await world.connected(mode, { name: `closing, ${mode.name}` });
      await page.evaluate(async () => {
        const heard = nc.subscribe("heard", { max: 1 });
        window.heard = (async () => {
          for await (const message of heard) return message.string();
        })();
        await nc.flush();
      });
      const result = await other.evaluate(async () => {
        const received = [];
        const callback = (error, message) => {
          received.push(message?.string());
          nc.publish("heard", nc.isDraining() ? "while draining" : "too early");
        };
        const subscription = nc.subscribe("last", { callback });
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
      assert.equal(await page.evaluate(() => window.heard), "while draining");
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
