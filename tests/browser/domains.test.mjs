// A page at a leaf node uses the JetStream of the hub, by its domain, and goes on when its leaf nodes die and return.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { jetstreamManager } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { Objm } from "@nats-io/obj";
import { connect } from "@nats-io/transport-node";
import { until } from "./lib/until.mjs";
import { MODES, startWorld } from "./lib/world.mjs";

const ROOT = join(import.meta.dirname, "../..");
const CARGO = ["run", "--quiet", "--package", "loadgen", "--"];
const LOGIN = { user: "acc", pass: "s3cr3t" };
/** Its own, so that the orders below reach no other super-cluster of this machine. */
const DEPLOYMENT = `domains-${process.pid}`;
/** Nine servers start and elect leaders; on a busy machine that takes its time. */
const START_WAIT_MS = 120_000;
const MOVE_WAIT_MS = 30_000;
/** The defaults, in seconds instead of minutes. */
const CONFIG = {
  probe: { away_interval: 200, budget_per_minute: 10_000 },
  rank: { unhealthy_for: 500 },
  fail_back: { good_for: 1000, spread: 2000 },
};

let world;
let loadgen;
let nc;
let servers;

before(async () => {
  const args = [...CARGO, "up", "--topology", "hub-spoke", "--deployment", DEPLOYMENT];
  loadgen = spawn("cargo", args, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, PASSWORD: LOGIN.pass } });
  const lines = new Map();
  createInterface(loadgen.stdout).on("line", (line) => {
    const [region, protocol, urls = ""] = line.split(" ");
    lines.set(`${region} ${protocol}`, urls.split(",").map((one) => one.split("=")));
  });
  const addresses = await until("loadgen prints the addresses", () => {
    if (loadgen.exitCode !== null) throw new Error(`loadgen ended with ${loadgen.exitCode}`);
    return lines.get("headquarter tcp") && lines.get("spoke-1 ws") && lines;
  }, START_WAIT_MS);
  servers = addresses.get("spoke-1 ws").map(([, url]) => url);
  const hub = addresses.get("headquarter tcp").filter(([region]) => region === "headquarter");
  nc = await connect({ servers: hub.map(([, url]) => url), ...LOGIN });
  const manager = await jetstreamManager(nc);
  await manager.streams.add({ name: "ORDERS", subjects: ["orders.>"] });
  await new Kvm(nc).create("lamps");
  await (await new Objm(nc).create("films")).putBlob({ name: "film" }, new TextEncoder().encode("Metropolis"));
  world = await startWorld({ withCluster: false, routes: [{ path: "/films/*", bucket: "films", domain: "hub" }] });
});

after(async () => {
  await world?.stop();
  await nc?.close();
  if (loadgen?.exitCode === null) {
    loadgen.kill("SIGINT");
    await once(loadgen, "exit");
  }
});

const order = (...args) => promisify(execFile)("cargo", [...CARGO, "ctl", "--deployment", DEPLOYMENT, ...args], { cwd: ROOT });

for (const mode of MODES) {
  describe(mode.name, () => {
    let page;
    const run = (work, argument) => page.evaluate(work, argument);
    const isIn = (region) => until(`the page is in ${region}`, () => run((region) => nc.info?.cluster === region, region), MOVE_WAIT_MS);

    before(async () => {
      page = await world.connected(mode, { name: `domains, ${mode.name}`, servers, config: CONFIG, ...LOGIN });
      await isIn("spoke-1");
      await run(async () => {
        window.hub = natsGeo.jetstream(nc, { domain: "hub" });
        window.lamps = await new natsGeo.Kvm(hub).open("lamps");
        window.seen = [];
        void (async () => {
          for await (const entry of await lamps.watch({ key: "hall" })) seen.push(entry.string());
        })();
      });
    });
    after(() => page?.context().close());

    /** All of it, for a value that was never there. */
    const useHub = async (value) => {
      const used = await run(async (value) => {
        const { domain, stream } = await hub.publish("orders.new", value, { msgID: value });
        await lamps.put("hall", value);
        const film = await (await new natsGeo.Objm(hub).open("films")).getBlob("film");
        return { domain, stream, lamp: (await lamps.get("hall")).string(), film: new TextDecoder().decode(film) };
      }, value);
      assert.deepEqual(used, { domain: "hub", stream: "ORDERS", lamp: value, film: "Metropolis" });
      assert.equal((await (await new Kvm(nc).open("lamps")).get("hall")).string(), value);
      await until(`the watch shows ${value}`, () => run((value) => seen.at(-1) === value, value));
    };

    it("names a domain that does not exist", async () => {
      const { error } = await run(() => outcome(() => new natsGeo.Kvm(natsGeo.jetstream(nc, { domain: "moon" })).open("lamps")));
      assert.deepEqual([error.name, error.code, error.cause], ["RequestError", "NO_RESPONDERS", "NoRespondersError"]);
      assert.match(error.message, /domain `moon`.*leaf node/);
      // The server of the page has a domain of its own, which knows no such bucket.
      const local = await run(() => outcome(() => new natsGeo.Kvm(nc).open("lamps")));
      assert.equal(local.error.code, "NOT_FOUND");
    });

    if (mode.isWorker) {
      it("answers fetches from the hub's objects", async () => {
        assert.deepEqual(await run(async () => {
          const response = await fetch("/films/film");
          return [response.status, await response.text()];
        }), [200, "Metropolis"]);
      });
    }

    it("uses the hub from a spoke, and on the way to the hub and back", async () => {
      await useHub(`${mode.name} at the spoke`);
      await order("kill", "spoke-1");
      await isIn("headquarter");
      await useHub(`${mode.name} at the hub`);
      await order("heal", "spoke-1");
      await isIn("spoke-1");
      await useHub(`${mode.name} at the spoke again`);
    });
  });
}
