// The host sleeps for ten minutes: for the browser its clocks jump, one of them or both, and its connections may be
// forgotten on the way, with no word about it.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { until } from "./lib/until.mjs";
import { MODES, regionsRank, startWorld } from "./lib/world.mjs";

const ASLEEP_MS = 600_000;
/** 2 s is what is promised; twice that is for a busy machine. */
const RECOVERY_MAX_MS = 4000;
/** By the browser and its system, the clock of timers stands still or not. */
const JUMPS = [
  { name: "only the clock of the day jumps", clocks: ["Date"] },
  { name: "both clocks jump", clocks: ["Date", "performance"] },
];

let world;

before(async () => {
  world = await startWorld({ first: "clocks.js", withResponders: true });
});

after(() => world?.stop());

for (const mode of MODES) {
  describe(mode.name, () => {
    for (const { name: jump, clocks } of JUMPS) {
      it(`keeps a connection that lives, ${jump}`, async () => {
        const { page, name, first } = await connected(mode);
        const ms = await wakeUp(page, clocks);
        console.log(`# ${mode.name}, ${jump}: hears and is answered ${ms.toFixed(0)} ms after the sleep`);
        assert.ok(ms < RECOVERY_MAX_MS, `${ms} ms`);
        await page.waitForFunction(() => window.statuses.includes("stalled"));
        await noVerdict(page);
        assert.deepEqual(await page.evaluate(() => statuses.filter((type) => ["lost", "moved"].includes(type))), []);
        // It measures again, which takes short connections beside the first.
        await until("the first connection is left", async () => {
          const clients = await clientsOf(name);
          return clients.length === 1 && clients[0].server === first.server && clients[0].connection.cid === first.connection.cid;
        });
        await page.context().close();
      });

      it(`replaces a connection that was forgotten, ${jump}`, async () => {
        const { page, name, first } = await connected(mode);
        // Whatever was connected: what the server ends, nobody tells the client.
        for (const server of world.cluster.servers) server.proxy.forget();
        await until("the server has no client", async () => (await clientsOf(name)).length === 0);
        const ms = await wakeUp(page, clocks);
        console.log(`# ${mode.name}, ${jump}: hears and is answered ${ms.toFixed(0)} ms after the sleep, over a new connection`);
        assert.ok(ms < RECOVERY_MAX_MS, `${ms} ms`);
        await noVerdict(page);
        const [{ server, connection }] = await until("one connection is left", async () => {
          const clients = await clientsOf(name);
          return clients.length === 1 && clients;
        });
        assert.equal(server.region.name, "lon");
        assert.ok(connection.cid !== first.connection.cid || server !== first.server);
        // Nor does the client go on with a socket that nobody serves.
        await until("the forgotten sockets are being closed", () => world.cluster.servers.every(({ proxy }) => proxy.forgotten() === 0));
        await page.context().close();
      });
    }
  });
}

const clientsOf = (name) => world.cluster.clients(name);

let clients = 0;

/** A page in lon that hears, and its connection as the server sees it. */
async function connected(mode) {
  const name = `asleep-${++clients}`;
  const page = await world.connected(mode, { name });
  await regionsRank(page);
  await page.evaluate(async () => {
    window.heard = [];
    window.statuses = [];
    nc.subscribe("hear", { callback: (error, message) => heard.push(message.string()) });
    void (async () => {
      for await (const { type, from, to } of nc.status()) window.statuses.push(type === "moved" && from.region !== to.region ? "left region" : type);
    })();
    await nc.flush();
  });
  const [first] = await until("one connection", async () => {
    const connections = await clientsOf(name);
    return connections.length === 1 && connections;
  });
  assert.equal(first.server.region.name, "lon");
  return { page, name, first };
}

/** Time from the jump until a message is heard and a request is answered. */
async function wakeUp(page, clocks) {
  const start = performance.now();
  const realms = [page, ...page.context().serviceWorkers()];
  await Promise.all(realms.map((realm) => realm.evaluate(([clocks, ms]) => self.putForward(clocks, ms), [clocks, ASLEEP_MS])));
  const asking = page.evaluate(async () => {
    while (!(await nc.request("echo", "", { timeout: 1000 }).catch(() => undefined)));
  });
  await until("it hears", async () => {
    world.nc.publish("hear", "awake");
    await world.nc.flush();
    return page.evaluate(() => heard.includes("awake"));
  });
  await asking;
  return performance.now() - start;
}

/** No region is held to have failed, by the client's own account. */
async function noVerdict(page) {
  const { statuses, snapshot } = await page.evaluate(async () => ({ statuses, snapshot: await nc.snapshot() }));
  assert.deepEqual(statuses.filter((type) => ["left region", "damped"].includes(type)), []);
  assert.equal(snapshot.liveRegion, "lon");
  assert.deepEqual(snapshot.regions.filter(({ reason }) => ["damped", "unhealthy"].includes(reason)), []);
}
