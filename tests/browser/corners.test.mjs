// Corners of streams, stores and routes that one server shows: what is very large, damaged, linked, or taken away.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { Objm } from "@nats-io/obj";
import { connect } from "@nats-io/transport-node";
import { stopWorkers } from "./lib/browser.mjs";
import { startServer } from "./lib/server.mjs";
import { startSite } from "./lib/site.mjs";
import { until } from "./lib/until.mjs";
import { MODES, startWorld } from "./lib/world.mjs";

/** More than one pull asks for, and less than a message may have. */
const LARGE_BYTES = 700_000;
/** Their values are larger than a pull; nats-server loses some of them when it is asked to heed the size. */
const MANY = 60;
/** More than browsers read ahead: Chromium had 12 MB when nobody had asked for them. */
const LONG_BYTES = 100_000_000;
/** The worker closes its connection 25 s after the last page has gone. */
const GRACE_MS = 25_000;
/** Much more than any of these takes when it works. */
const LIMIT_MS = 8000;

let world;
let server;
let nc;
let kv;

before(async () => {
  world = await startWorld({ withCluster: false, routes: [{ path: "/files/*", bucket: "site" }] });
  server = await startServer(`
    max_payload: 1MB
    authorization {
      users: [
        { user: all, password: secret }
        { user: private, password: secret, permissions: { publish: ["$JS.API.>", "$KV.>", "echo"], subscribe: ["_PRIVATE.me.>"] } }
      ]
    }`, { withStreams: true });
  nc = await connect({ servers: server.client, user: "all", pass: "secret" });
  nc.subscribe("echo", { callback: (error, message) => message.respond("heard") });
  kv = await new Kvm(nc).create("settings", { history: 3 });
  await kv.put("small.a", "1");
  await kv.put("large.b", new Uint8Array(LARGE_BYTES).fill(7));
  await kv.put("small.c", "3");
  const many = await new Kvm(nc).create("many", { history: 2 });
  for (let index = 0; index < MANY; index++) await many.put(`k${index}`, new Uint8Array(10_000));
  const store = await new Objm(nc).create("site");
  await store.putBlob({ name: "film.txt" }, Buffer.from("twelve bytes"));
  await store.putBlob({ name: "long.bin" }, new Uint8Array(LONG_BYTES));
  await store.link("link.txt", await store.info("film.txt"));
  await store.putBlob({ name: "damaged.txt" }, Buffer.from("these are not the bytes that were put"));
  const { revision, isFrozen, deleted, ...info } = await store.info("damaged.txt");
  nc.publish(`$O.site.M.${btoa("damaged.txt")}`, JSON.stringify({ ...info, digest: `SHA-256=${"A".repeat(43)}=` }));
  await nc.flush();
});

after(async () => {
  await nc?.close();
  await server?.stop();
  await world?.stop();
});

for (const mode of MODES) {
  describe(mode.name, () => {
    const connected = (options = {}, ...where) => world.connected(mode, { servers: server.url, user: "all", pass: "secret", ...options }, ...where);
    let page;
    before(async () => {
      page = await connected();
    });
    after(() => page?.context().close());

    it("reads values larger than a pull", async () => {
      const read = page.evaluate(async () => {
        const kv = await new natsGeo.Kvm(nc).open("settings");
        const lengths = async (entries) => {
          const found = [];
          for await (const entry of entries) {
            found.push([entry.key, entry.value.byteLength]);
            if (entry.key === "small.c") break;
          }
          return found;
        };
        const count = async (entries) => {
          let found = 0;
          for await (const entry of entries) if (++found && entry.delta === 0) break;
          return found;
        };
        const many = await new natsGeo.Kvm(nc).open("many");
        return { history: await lengths(await kv.history()), watch: await lengths(await kv.watch()), many: await count(await many.watch()) };
      });
      const expected = [["small.a", 1], ["large.b", LARGE_BYTES], ["small.c", 1]];
      assert.deepEqual(await within(LIMIT_MS, "all are read", read), { history: expected, watch: expected, many: MANY });
    });

    it("misses no update when its consumer is lost before anything came", async () => {
      const key = `updates.${mode.name.replaceAll(" ", "-")}`;
      await page.evaluate(async (key) => {
        const kv = await new natsGeo.Kvm(nc).open("settings");
        window.watched = [];
        window.watch = await kv.watch({ key, include: "updates" });
        void (async () => {
          for await (const entry of window.watch) window.watched.push(entry.string());
        })();
        await nc.flush();
      }, key);
      const manager = await jetstreamManager(nc);
      const names = (await manager.consumers.list("KV_settings").next()).filter(({ config }) => config.filter_subject?.endsWith(key)).map(({ name }) => name);
      assert.equal(names.length, 1);
      // Both are on their way before the client can hear of the first.
      const deleted = manager.consumers.delete("KV_settings", names[0]);
      const put = kv.put(key, "in between");
      await Promise.all([deleted, put]);
      await page.waitForFunction(() => window.watched.length === 1, undefined, { timeout: LIMIT_MS });
      await page.evaluate(() => window.watch.stop());
    });

    it("says by its code that an object is damaged", async () => {
      const result = await page.evaluate(async () => {
        const store = await new natsGeo.Objm(nc).open("site");
        const { data, error } = await store.get("damaged.txt");
        const streamed = await outcome(() => new Response(data).text());
        return { blob: await outcome(() => store.getBlob("damaged.txt")), streamed: streamed.error !== undefined, told: failure(await error) };
      });
      assert.equal(result.blob.error?.code, "DIGEST_MISMATCH", JSON.stringify(result.blob));
      assert.equal(result.told.code, "DIGEST_MISMATCH");
      assert.ok(result.streamed);
    });

    it("keeps to its own inboxes", async () => {
      const origin = world.origin();
      const options = { user: "private", inboxPrefix: "_PRIVATE.me" };
      const first = await connected(options, origin);
      const pages = [first];
      if (mode.isWorker) {
        // This one leaves the options to those who are there already.
        const second = await world.page(origin, first.context());
        await second.evaluate(async (options) => {
          window.nc = await natsGeo.connect(options);
        }, mode.options);
        pages.push(second);
      }
      for (const [index, page] of pages.entries()) {
        const read = page.evaluate(async () => {
          const answers = [];
          for await (const message of await nc.requestMany("echo", "", { strategy: "count", maxMessages: 1, maxWait: 3000 })) answers.push(message.string());
          const keys = [];
          for await (const key of await (await new natsGeo.Kvm(nc).open("settings")).keys("small.*")) keys.push(key);
          const blob = await (await new natsGeo.Objm(nc).open("site")).getBlob("film.txt");
          return { answers, keys, blob: new TextDecoder().decode(blob) };
        });
        assert.deepEqual(await within(LIMIT_MS, "all is read", read), { answers: ["heard"], keys: ["small.a", "small.c"], blob: "twelve bytes" }, `page ${index}`);
      }
      await first.context().close();
    });

    if (!mode.isWorker) return;

    it("goes on watching soon after the worker was stopped", async () => {
      const key = `stopped.${mode.name.replaceAll(" ", "-")}`;
      const watcher = await connected();
      await watcher.evaluate(async (key) => {
        const kv = await new natsGeo.Kvm(nc).open("settings");
        window.watched = [];
        window.isAttached = false;
        void (async () => {
          for await (const status of nc.status()) window.isAttached ||= status.type === "worker" && status.state === "attached";
        })();
        void (async () => {
          for await (const entry of await kv.watch({ key })) window.watched.push(entry.string());
        })();
        await nc.flush();
      }, key);
      await kv.put(key, "before");
      await watcher.waitForFunction(() => window.watched.length === 1);
      await stopWorkers(watcher);
      await watcher.waitForFunction(() => window.isAttached);
      await kv.put(key, "after");
      await watcher.waitForFunction(() => window.watched.length === 2, undefined, { timeout: LIMIT_MS });
      await watcher.context().close();
    });

    it("serves an object's link, and ranges to GET only", async () => {
      const answers = await page.evaluate(async () => {
        const get = async (path, init) => {
          const response = await fetch(path, { cache: "no-store", ...init });
          return [response.status, response.headers.get("content-length"), await response.text()];
        };
        return { link: await get("/files/link.txt"), part: await get("/files/link.txt", { headers: { range: "bytes=7-" } }), head: await get("/files/film.txt", { method: "HEAD", headers: { range: "bytes=0-3" } }) };
      });
      assert.deepEqual(answers, { link: [200, "12", "twelve bytes"], part: [206, "5", "bytes"], head: [200, "12", ""] });
    });
  });
}

describe("in a worker", () => {
  const [mode] = MODES;
  const options = () => ({ servers: server.url, user: "all", pass: "secret", preset: "interactive", ...mode.options });

  it("keeps its connection while a file is read, though no page is connected", async () => {
    const page = await world.connected(mode, options());
    // The web server's own page, under the worker but without a connection.
    await page.goto(new URL("/nowhere", page.url()).href);
    const bytes = await page.evaluate(async (graceMs) => {
      const reader = (await fetch("/files/long.bin")).body.getReader();
      let bytes = (await reader.read()).value.byteLength;
      await new Promise((resolve) => setTimeout(resolve, graceMs + 2000));
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return bytes;
        bytes += value.byteLength;
      }
    }, GRACE_MS);
    assert.equal(bytes, LONG_BYTES);
    await page.context().close();
  });

  it("is not installed with an engine that is none", async () => {
    const [, classic] = MODES;
    // As a web server does that answers everything with its start page.
    const site = await startSite({ classicWasm: "/page.html" });
    const page = await world.page(site.origin("engine"));
    const result = await page.evaluate((options) => outcome(() => natsGeo.connect(options)), { ...options(), ...classic.options });
    assert.equal(result.error?.code, "WORKER_UNAVAILABLE", JSON.stringify(result));
    const kept = await page.evaluate(async () => {
      const names = await caches.keys();
      return (await Promise.all(names.map(async (name) => (await caches.open(name)).keys()))).flat().map(({ url }) => url);
    });
    assert.deepEqual(kept, []);
    await page.context().close();
    site.stop();
  });

  it("forgets the options of before when it may not keep those of now", async () => {
    const page = await world.page();
    const kept = () =>
      page.evaluate(async () => {
        const { name } = (await indexedDB.databases()).find(({ name }) => name.startsWith("nats-geo"));
        return new Promise((resolve, reject) => {
          const opening = indexedDB.open(name);
          opening.onerror = () => reject(opening.error);
          opening.onsuccess = () => {
            const reading = opening.result.transaction("memory").objectStore("memory").getAllKeys();
            reading.onsuccess = () => (opening.result.close(), resolve({ name, keys: reading.result }));
          };
        });
      });
    const open = { ...options(), user: undefined, pass: undefined };
    // There is no such user, but that is found out later.
    await page.evaluate((options) => outcome(() => natsGeo.connect(options)), { ...open, timeout: 1000 });
    await until("the options are kept", async () => (await kept()).keys.includes("options"));
    await page.evaluate(async (options) => {
      window.nc = await natsGeo.connect(options);
    }, options());
    await until("they are forgotten", async () => !(await kept()).keys.includes("options"));
    // What one application keeps is not another's on the same origin.
    assert.ok((await kept()).name.endsWith(new URL("/", page.url()).href));
    await page.context().close();
  });
});

/** What `promise` gives, or a failure that says what did not happen. */
async function within(ms, what, promise) {
  let timer;
  const late = new Promise((_resolve, reject) => (timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}`)), ms)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
