// Streams that begin again: a bucket in memory whose server is restarted, one that is deleted and made again.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";
import { jetstreamManager } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { until } from "./lib/until.mjs";
import { MODES, startWorld } from "./lib/world.mjs";

const KEYS = 100;

let world;
let manager;

before(async () => {
  world = await startWorld();
  manager = await jetstreamManager(world.nc);
});

after(() => world?.stop());

/** Watches a bucket in the page: what the watch shows is in `seen`, the statuses of streams in `restarts`. */
const watch = (page, bucket, include) =>
  page.evaluate(async ([bucket, include]) => {
    window.seen = [];
    window.restarts = [];
    void (async () => {
      for await (const status of nc.status()) if (status.type === "streamReset") window.restarts.push(status.stream);
    })();
    const entries = await (await new natsGeo.Kvm(nc).open(bucket)).watch({ key: ">", include });
    void (async () => {
      for await (const entry of entries) window.seen.push(`${entry.key}=${entry.string()}`);
    })();
  }, [bucket, include]);

const seen = (page) => page.evaluate(() => window.seen);

for (const mode of MODES.filter(({ name }) => name !== "classic worker")) {
  describe(mode.name, () => {
    for (const include of ["last", "updates"]) {
      it(`shows what is put into a bucket that lost its memory, to a watch of "${include}"`, async () => {
        const bucket = `lost-${mode.isWorker}-${include}`;
        const kv = await new Kvm(world.nc).create(bucket, { storage: "memory", replicas: 1, placement: { cluster: "dal" } });
        const page = await world.connected(mode);
        await watch(page, bucket, include);
        for (let i = 0; i < KEYS; i++) await kv.put(`k.${i}`, "old");
        await until("all are seen", async () => (await seen(page)).length === KEYS);

        const { cluster } = await manager.streams.info(`KV_${bucket}`);
        const server = world.cluster.servers.find(({ name }) => name === cluster.leader);
        await world.cluster.kill(server);
        await world.cluster.start(server);
        for (const key of ["a", "b", "c"]) await until(`${key} is put`, () => kv.put(key, "new").then(() => true, () => false), 30_000);
        await until("the new values are seen", async () => {
          const values = await seen(page);
          return ["a=new", "b=new", "c=new"].every((value) => values.includes(value));
        }, 30_000);
        assert.deepEqual(await page.evaluate(() => window.restarts), [`KV_${bucket}`]);
        await page.context().close();
        await world.cluster.ready();
      });
    }

    it("shows what is put into a bucket that is deleted and made again", async () => {
      const bucket = `again-${mode.isWorker}`;
      const made = () => new Kvm(world.nc).create(bucket, { placement: { cluster: "dal" } });
      const first = await made();
      const page = await world.connected(mode);
      await watch(page, bucket, "last");
      await first.put("a", "old");
      await until("the old value is seen", async () => (await seen(page)).includes("a=old"));
      await first.destroy();
      // Meanwhile the watch asks for the bucket, and hears that there is none.
      await setTimeout(500);
      const second = await made();
      for (const key of ["a", "b"]) await second.put(key, "new");
      await until("the new values are seen", async () => {
        const values = await seen(page);
        return ["a=new", "b=new"].every((value) => values.includes(value));
      }, 30_000);
      await page.context().close();
    });
  });
}
