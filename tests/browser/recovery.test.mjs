// What happens to browsers: an engine that traps, a network that goes away, a page that is loaded past its worker, a
// strict policy, a film that must not stop.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Kvm } from "@nats-io/kv";
import { Objm } from "@nats-io/obj";
import { startSite } from "./lib/site.mjs";
import { until } from "./lib/until.mjs";
import { wave } from "./lib/wave.mjs";
import { MODES, connectPage, regionsRank, startWorld, wasmFile } from "./lib/world.mjs";

const SOUND_BYTES = 30_000_000;
const WORKERS = MODES.filter(({ isWorker }) => isWorker);
const IN_PAGE = MODES.find(({ isWorker }) => !isWorker);

let world;

before(async () => {
  world = await startWorld({ routes: [{ path: "/files/*", bucket: "site" }] });
  await new Kvm(world.nc).create("watched", { history: 64, placement: { cluster: "dal" } });
  const store = await new Objm(world.nc).create("site", { placement: { cluster: "dal" } });
  await store.putBlob({ name: "sound.wav", options: { max_chunk_size: 128 * 1024 } }, wave(SOUND_BYTES));
});

after(() => world?.stop());

/** Counts what a subscription hears, in the page. */
const listen = (page) =>
  page.evaluate(async () => {
    window.heard = [];
    window.statuses = [];
    nc.subscribe("hear", { callback: (error, message) => window.heard.push(message.string()) });
    void (async () => {
      for await (const { type } of nc.status()) window.statuses.push(type);
    })();
    await nc.flush();
  });

const hears = async (page, text) => {
  await until(`it hears ${text}`, async () => {
    world.nc.publish("hear", text);
    await world.nc.flush();
    return page.evaluate((text) => window.heard.includes(text), text);
  }, 20_000);
};

describe("an engine that traps", () => {
  it("is replaced: subscriptions go on, what was under way is rejected, its sockets are closed", async () => {
    const page = await world.page();
    // A trap cannot be ordered from outside, so an export of the real engine is made to trap when it is told to.
    await page.evaluate(() => {
      const Original = WebAssembly.Instance;
      WebAssembly.Instance = function (module, imports) {
        const instance = new Original(module, imports);
        const flush = instance.exports.engine_flush;
        const trapping = (...values) => {
          if (!window.trapNext) return flush(...values);
          window.trapNext = false;
          throw new WebAssembly.RuntimeError("unreachable");
        };
        return { exports: { ...instance.exports, engine_flush: trapping } };
      };
    });
    const name = "trapped";
    await connectPage(page, { servers: world.cluster.urls(), preset: "interactive", name, ...IN_PAGE.options });
    await listen(page);
    for (let round = 1; round <= 2; round++) {
      const result = await page.evaluate(async () => {
        nc.subscribe("silent", { callback: () => {} });
        await nc.flush();
        const pending = outcome(() => nc.request("silent", "", { timeout: 30_000 }));
        window.trapNext = true;
        return { flush: await outcome(() => nc.flush()), pending: await pending };
      });
      assert.equal(result.flush.error.code, "LINK_LOST");
      assert.equal(result.pending.error.code, "LINK_LOST");
      await hears(page, `round ${round}`);
      await until("one connection is left", async () => (await world.cluster.clients(name)).length === 1);
    }
    assert.equal(await page.evaluate(() => nc.isClosed()), false);
    await page.context().close();
  });

  it("is given up when it traps again and again", async () => {
    const page = await world.page();
    await page.evaluate(() => {
      const Original = WebAssembly.Instance;
      WebAssembly.Instance = function (module, imports) {
        const instance = new Original(module, imports);
        return { exports: { ...instance.exports, engine_flush: () => { throw new WebAssembly.RuntimeError("unreachable"); } } };
      };
    });
    await connectPage(page, { servers: world.cluster.urls(), preset: "interactive", ...IN_PAGE.options });
    const end = await page.evaluate(async () => {
      for (let i = 0; i < 10 && !nc.isClosed(); i++) await outcome(() => nc.flush());
      return { end: failure(await nc.closed()), after: await outcome(() => nc.flush()) };
    });
    assert.equal(end.end.code, "CONNECTION");
    assert.match(end.end.message, /engine failed/);
    assert.equal(end.after.error.code, "CLOSED");
    await page.context().close();
  });
});

for (const mode of MODES) {
  describe(mode.name, () => {
    it("comes back when the network does, without zombies", async () => {
      const name = `offline, ${mode.name}`;
      const page = await world.connected(mode, { name });
      await listen(page);
      await page.context().setOffline(true);
      const refused = await page.evaluate(() => outcome(() => nc.request("nobody", "", { timeout: 3000 })));
      assert.ok(["TIMEOUT", "LINK_LOST", "CONNECTION"].includes(refused.error?.code), JSON.stringify(refused));
      await page.waitForFunction(() => window.statuses.includes("lost") || window.statuses.includes("suspected"));
      await page.context().setOffline(false);
      const back = performance.now();
      await hears(page, "back");
      const ms = performance.now() - back;
      console.log(`# ${mode.name}: hears again ${ms.toFixed(0)} ms after the network is back`);
      assert.ok(ms < 4000, `${ms} ms`);
      await until("one connection is left", async () => (await world.cluster.clients(name)).length === 1, 20_000);
      await page.context().close();
    });
  });
}

for (const mode of MODES) {
  describe(mode.name, () => {
    it("watches on when its server has died, and misses nothing", async () => {
      const page = await world.connected(mode);
      const prefix = mode.name.replaceAll(" ", "-");
      const kv = await new Kvm(world.nc).open("watched");
      await page.evaluate(async (prefix) => {
        window.values = [];
        window.watching = await (await new natsGeo.Kvm(nc).open("watched")).watch({ key: `${prefix}.>` });
        void (async () => {
          for await (const entry of window.watching) window.values.push(Number(entry.string()));
        })();
      }, prefix);
      let written = 0;
      const write = async (count) => {
        for (let i = 0; i < count; i++) await kv.put(`${prefix}.${written % 3}`, String(++written));
      };
      await write(10);
      await page.waitForFunction(() => window.values.at(-1) === 10);
      const victim = world.cluster.at(await page.evaluate(() => nc.getServer()));
      await world.cluster.kill(victim);
      try {
        await write(10);
        await page.waitForFunction(() => window.values.at(-1) === 20, undefined, { timeout: 20_000 });
        assert.deepEqual(await page.evaluate(() => window.values), Array.from({ length: 20 }, (_, index) => index + 1));
      } finally {
        await world.cluster.start(victim);
        await world.cluster.ready();
      }
      await page.context().close();
    });
  });
}

for (const mode of WORKERS) {
  describe(mode.name, () => {
    it("keeps the connection when a page is reloaded", async () => {
      const name = `reloaded, ${mode.name}`;
      const origin = world.origin();
      const page = await world.connected(mode, { name }, origin);
      const [{ connection: first }] = await until("one connection", async () => {
        const clients = await world.cluster.clients(name);
        return clients.length === 1 && clients;
      });
      await page.reload();
      await page.waitForFunction(() => window.ready);
      await connectPage(page, { servers: world.cluster.urls(), preset: "interactive", name, ...mode.options });
      await page.evaluate(() => nc.flush());
      const [{ connection: second }] = await world.cluster.clients(name);
      assert.equal(second.cid, first.cid);
      await page.context().close();
    });

    it("connects after a hard reload, past the worker", async () => {
      const page = await world.connected(mode);
      const session = await page.context().newCDPSession(page);
      await session.send("Page.reload", { ignoreCache: true });
      await page.waitForFunction(() => window.ready && !window.nc);
      const { mode: _mode, ...options } = mode.options;
      await connectPage(page, { servers: world.cluster.urls(), preset: "interactive", ...options });
      await listen(page);
      await hears(page, "after a hard reload");
      await page.context().close();
    });

    it("plays on while its region dies", async () => {
      const page = await world.connected(mode);
      await regionsRank(page);
      await page.evaluate(async () => {
        const video = document.getElementById("video");
        video.src = "/files/sound.wav";
        video.onwaiting = () => (window.waited = true);
        await video.play();
      });
      const killed = world.cluster.in("lon");
      await Promise.all(killed.map((server) => world.cluster.kill(server)));
      try {
        // Into a part that is not buffered: it must come from the new region.
        const at = await page.evaluate(async () => {
          const video = document.getElementById("video");
          const start = performance.now();
          video.currentTime = video.duration * 0.8;
          await new Promise((resolve) => (video.onseeked = resolve));
          return { ms: performance.now() - start, error: video.error?.message };
        });
        assert.equal(at.error, undefined);
        await page.waitForFunction(() => {
          const video = document.getElementById("video");
          return !video.paused && video.currentTime > video.duration * 0.8 + 1;
        });
        console.log(`# ${mode.name}: a seek while the region died took ${at.ms.toFixed(0)} ms`);
        assert.equal(await page.evaluate(async () => (await nc.snapshot()).liveRegion), "ams");
      } finally {
        await Promise.all(killed.map((server) => world.cluster.start(server)));
        await world.cluster.ready();
      }
      await page.context().close();
    });
  });
}

for (const mode of MODES) {
  describe(`${mode.name}, with a strict policy`, () => {
    it("works with 'wasm-unsafe-eval' and its servers, and says what the policy forbids", async () => {
      const allowed = world.cluster.urls().join(" ");
      const csp = `default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' ${allowed}`;
      const site = await startSite({ classicWasm: `/nats-geo/${await wasmFile()}` }, { csp });
      const page = await world.page(site.origin("strict"));
      await connectPage(page, { servers: world.cluster.urls(), preset: "interactive", ...mode.options });
      await page.evaluate(() => nc.flush());
      await page.context().close();

      const other = await world.page(site.origin("forbidden"));
      const refused = await other.evaluate((options) => outcome(() => natsGeo.connect(options)), { servers: "ws://127.0.0.1:9", timeout: 1500, ...mode.options });
      assert.equal(refused.error?.code, "CONNECTION", JSON.stringify(refused));
      assert.match(refused.error.message, /policy|blocked/i);
      await other.context().close();
      site.stop();
    });
  });
}
