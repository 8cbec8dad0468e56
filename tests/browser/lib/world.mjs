// Everything a test file needs: super-cluster, web site, browser, and a stock NATS client beside them.

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { connect } from "@nats-io/transport-node";
import { launchBrowser } from "./browser.mjs";
import { startCluster } from "./cluster.mjs";
import { startResponders } from "./responders.mjs";
import { startSite } from "./site.mjs";
import { until } from "./until.mjs";

/** The three ways to use the package; all pass the same tests. */
export const MODES = [
  { name: "module worker", isWorker: true, options: { mode: "worker", worker: { url: "/sw.js", type: "module" } } },
  { name: "classic worker", isWorker: true, options: { mode: "worker", worker: { url: "/sw-classic.js", type: "classic" } } },
  { name: "in the page", isWorker: false, options: { mode: "page" } },
];

/** `withResponders`: each server has somebody who answers requests to `echo` with its name. */
export async function startWorld({ routes = [], extra, nodeOptions = {}, withCluster = true, withResponders = false, first } = {}) {
  const undo = [];
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const cluster = withCluster ? await startCluster({ extra }) : undefined;
    if (cluster) undo.push(() => cluster.stop());
    const site = await startSite({ routes, classicWasm: `/nats-geo/${await wasmFile()}` }, { first });
    undo.push(() => site.stop());
    const browser = await launchBrowser();
    undo.push(() => browser.close());
    const nc = cluster && (await connect({ servers: cluster.in("dal").map((server) => `127.0.0.1:${server.client}`), ...nodeOptions }));
    if (nc) undo.push(() => nc.close());
    const responders = withResponders ? await startResponders(cluster) : undefined;
    if (responders) undo.push(responders.stop);
    return new World({ cluster, site, browser, nc, responders, stop });
  } catch (error) {
    await stop();
    throw error;
  }
}

class World {
  #origins = 0;

  constructor(parts) {
    Object.assign(this, parts);
  }

  /** An origin that no other test uses, so that its service worker is nobody else's. */
  origin() {
    this.#origins += 1;
    return this.site.origin(`t${this.#origins}`);
  }

  /** A page that has loaded the package. */
  async page(origin = this.origin(), context) {
    const page = await (context ?? (await this.browser.newContext())).newPage();
    page.on("pageerror", (error) => page.emit("failed", error));
    await page.goto(`${origin}/page.html`);
    await page.waitForFunction(() => window.ready);
    return page;
  }

  /** A page with a connection in `nc`. */
  async connected(mode, options = {}, origin, context) {
    const page = await this.page(origin, context);
    await connectPage(page, { servers: this.cluster?.urls(), preset: "interactive", ...mode.options, ...options });
    return page;
  }
}

export async function connectPage(page, options) {
  await page.evaluate(async (options) => {
    window.nc = await natsGeo.connect(options);
  }, options);
}

/** A new choice takes two rounds of probes, and a silent one two seconds. */
const CHOOSE_AGAIN_EVERY_MS = 3000;

/**
 * Waits until the client has measured the regions as they are. A process that starts on a busy machine measures itself, too:
 * if that put them into another order, it is told to choose again.
 */
export async function regionsRank(page, order = "lon,ams,dal") {
  let nextChoice = performance.now() + CHOOSE_AGAIN_EVERY_MS;
  await until(`regions rank ${order}`, async () => {
    const regions = await page.evaluate(() => nc.regions.join());
    if (regions === order) return true;
    if (performance.now() > nextChoice) {
      console.log(`# ranked ${regions} instead of ${order}: choosing again`);
      nextChoice = performance.now() + CHOOSE_AGAIN_EVERY_MS;
      await page.evaluate(() => nc.reconnect());
    }
    return false;
  }, 30_000);
}

/** Name of the engine's file in dist/. */
export async function wasmFile() {
  const files = await readdir(join(import.meta.dirname, "../../../nats-geo-wasm/js/dist"));
  const engines = files.filter((name) => name.endsWith(".wasm"));
  if (engines.length !== 1) throw new Error(`dist/ holds ${engines.length} engines (${engines.join(", ")}), not one: run \`npm run build\` in nats-geo-wasm/js`);
  return engines[0];
}
