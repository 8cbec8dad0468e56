// Failures: a server killed, a server that falls silent, a server that announces its end.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { until } from "./lib/until.mjs";
import { MODES, regionsRank, startWorld } from "./lib/world.mjs";

/** Silent servers per mode; the median of them is what is judged. */
const SILENCES = 5;

let world;

before(async () => {
  world = await startWorld({ withResponders: true });
});

after(() => world?.stop());

for (const mode of MODES) {
  describe(mode.name, () => {
    let page;
    const gaps = [];
    const run = (work, argument) => page.evaluate(work, argument);
    const live = async () => world.cluster.at(await run(() => nc.getServer()));

    // Fresh clients: one that has seen a region fail returns to it with care, which takes its time.
    beforeEach(async () => {
      page = await world.connected(mode, { name: `failing, ${mode.name}` });
      await run(async () => {
        window.received = {};
        for (let i = 0; i < 20; i++) nc.subscribe(`live.${i}`, { callback: (error, message) => (window.received[message.subject] = message.string()) });
        await nc.flush();
        window.statuses = [];
        void (async () => {
          for await (const { type } of nc.status()) window.statuses.push(type);
        })();
      });
      await regionsRank(page);
      await until("it is in lon", async () => (await live())?.region.name === "lon");
    });
    afterEach(() => page?.context().close());

    /** Requests without pause until `window.asking` is false; every gap is recorded. */
    const startAsking = () =>
      run(async () => {
        await nc.request("echo", "", { timeout: 2000 });
        window.asking = true;
        window.failed = [];
        window.longestMs = 0;
        window.asked = (async () => {
          let last = performance.now();
          let count = 0;
          while (window.asking) {
            try {
              await nc.request("echo", String(count), { timeout: 1000 });
              window.longestMs = Math.max(window.longestMs, performance.now() - last);
              last = performance.now();
              count += 1;
            } catch (error) {
              window.failed.push(`${error.code}: ${error.message}`);
              await new Promise((resolve) => setTimeout(resolve, 5));
            }
          }
          return count;
        })();
      });

    const stopAsking = () =>
      run(async () => {
        window.asking = false;
        return { answered: await window.asked, failed: window.failed, longestMs: window.longestMs };
      });

    const allSubscriptionsLive = async (round) => {
      await until("every subscription hears", async () => {
        for (let i = 0; i < 20; i++) world.nc.publish(`live.${i}`, round);
        await world.nc.flush();
        return run((round) => Object.values(window.received).filter((value) => value === round).length === 20, round);
      });
    };

    it("lands on the sibling, then in the next region, with every subscription live", async () => {
      const killed = [];
      await startAsking();
      try {
        for (const expected of ["lon", "ams"]) {
          const victim = await live();
          assert.equal(victim.region.name, "lon");
          killed.push(victim);
          await world.cluster.kill(victim);
          let last;
          const isThere = async () => {
            last = await live();
            return last && last !== victim && last.region.name === expected;
          };
          await until(`it is in ${expected}`, isThere).catch((error) => {
            throw new Error(`${error.message}; the server is ${last === victim ? "the killed one" : last?.region.name}`);
          });
          await allSubscriptionsLive(`killed ${killed.length}`);
        }
      } finally {
        await Promise.all(killed.map((server) => world.cluster.start(server)));
        await world.cluster.ready();
      }
      const { answered, failed, longestMs } = await stopAsking();
      console.log(`# ${mode.name}: killed twice; longest time without an answer ${longestMs.toFixed(0)} ms, ${failed.length} of ${answered + failed.length} requests failed`);
      assert.ok(failed.every((text) => /^(LINK_LOST|TIMEOUT|CONNECTION|NO_RESPONDERS)/.test(text)), `failures have codes: ${failed}`);
      assert.ok(longestMs < 5000, `${longestMs} ms without an answer`);
      const statuses = await run(() => window.statuses);
      // Our own name, and right after it that of nats-core.
      assert.equal(statuses[statuses.indexOf("moved") + 1], "reconnect", statuses);
      assert.equal(statuses[statuses.indexOf("lost") + 1], "disconnect", statuses);
    });

    for (let round = 1; round <= SILENCES; round++) {
      it(`leaves a server that falls silent, ${round} of ${SILENCES}`, async () => {
        const victim = await live();
        await startAsking();
        world.cluster.signal(victim, "SIGSTOP");
        try {
          await until("it has left", async () => {
            const server = await live();
            return server && server !== victim;
          });
          await allSubscriptionsLive(`silent ${round}`);
        } finally {
          world.cluster.signal(victim, "SIGCONT");
        }
        const { longestMs } = await stopAsking();
        gaps.push(longestMs);
        await world.cluster.ready();
      });
    }

    it("is without an answer for 1.2 s at the median when a server falls silent", () => {
      assert.equal(gaps.length, SILENCES);
      const median = gaps.sort((a, b) => a - b)[Math.floor(gaps.length / 2)];
      console.log(`# ${mode.name}: silent server; without an answer for ${gaps.map((gap) => gap.toFixed(0)).join(", ")} ms, median ${median.toFixed(0)} ms`);
      assert.ok(median <= 1200, `median ${median} ms`);
    });

    it("leaves a server in lame duck mode without losing a request", async () => {
      const victim = await live();
      await world.responders.leave(victim);
      await startAsking();
      world.cluster.signal(victim, "SIGUSR2");
      try {
        await until("it has left", async () => {
          const server = await live();
          return server && server !== victim;
        }, 20_000);
        await allSubscriptionsLive("lame duck");
        await until("the server has ended", async () => victim.process.exitCode !== null || victim.process.signalCode !== null, 60_000);
      } finally {
        await victim.ended;
        await world.cluster.start(victim);
        await world.cluster.ready();
        world.responders.join(victim);
      }
      const { answered, failed, longestMs } = await stopAsking();
      console.log(`# ${mode.name}: lame duck; ${failed.length} of ${answered + failed.length} requests failed, longest time without an answer ${longestMs.toFixed(0)} ms`);
      assert.deepEqual(failed, []);
      const statuses = await run(() => window.statuses);
      assert.equal(statuses[statuses.indexOf("lameDuck") + 1], "ldm", statuses);
    });
  });
}
