// A hidden tab, for longer than browsers' patience: 30 s for idle service workers, 5 min until timers of hidden pages run
// once a minute. Chromium runs with nobody attached, because DevTools would keep the workers alive; what is seen is seen
// from the server: its list of connections, and its trace of PINGs. `make lifetime` runs this, `make test` does not: it
// takes its 7 minutes.

import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { connect } from "@nats-io/transport-node";
import { startUnattendedBrowser } from "./lib/browser.mjs";
import { startServer } from "./lib/server.mjs";
import { startSite } from "./lib/site.mjs";
import { until } from "./lib/until.mjs";
import { MODES, wasmFile } from "./lib/world.mjs";

const HIDDEN_MS = 7.2 * 60_000;
const LOOK_EVERY_MS = 2000;
/** What `fleet`, the default, asks for. */
const PING_EVERY_MS = 2000;
/**
 * Between two PINGs. Timers of hidden pages wait for the next full second, and those of a busy machine for more; timers
 * that run once a minute, as those of a page may after 5 minutes, do not pass.
 */
const PING_GAP_MAX_MS = 5 * PING_EVERY_MS;

const undo = [];
const tabs = MODES.map((mode) => ({ mode, name: mode.name.replaceAll(" ", "-"), looks: [] }));
let server;
let nc;

before(async () => {
  server = await startServer("trace: true\nlogtime_utc: true");
  undo.push(() => server.stop());
  nc = await connect({ servers: server.client });
  undo.push(() => nc.close());
  const connections = Object.fromEntries(tabs.map(({ mode, name }) => [name, { servers: server.url, ...mode.options }]));
  const site = await startSite({ connections, classicWasm: `/nats-geo/${await wasmFile()}` });
  undo.push(() => site.stop());
  const browser = await startUnattendedBrowser();
  undo.push(() => browser.stop());
  for (const { name } of tabs) await browser.open(`${site.origin(name)}/unattended.html?mode=${name}`);
  for (const tab of tabs) {
    await until(`${tab.name} answers`, () => ask(tab), 30_000);
    // At the start several dials may race; the losers are gone soon.
    tab.first = await until(`${tab.name} has one connection`, async () => {
      const connections = await connectionsOf(tab);
      return connections.length === 1 && connections[0];
    });
  }
  await browser.open("about:blank");
});

after(async () => {
  for (const step of undo.reverse()) await step();
});

const connectionsOf = async ({ name }) => (await server.connections()).filter((connection) => connection.name === name);

const ask = async ({ name }) => (await nc.request(`fared.${name}`, "", { timeout: 5000 })).json();

it("hidden tabs keep their connections, and ping on time", { timeout: HIDDEN_MS + 120_000 }, async () => {
  const start = Date.now();
  // Nothing is sent to the tabs meanwhile: they have to live by themselves.
  while (Date.now() - start < HIDDEN_MS) {
    for (const tab of tabs) tab.looks.push((await connectionsOf(tab)).map(({ cid }) => cid));
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  const end = Date.now();
  for (const tab of tabs) {
    tab.gaps = pingGaps(tab.first.cid, start, end);
    tab.fared = await ask(tab);
    const longestMs = Math.max(...tab.gaps);
    console.log(`# ${tab.mode.name}: hidden for ${(tab.fared.hiddenMs / 1000).toFixed(0)} s, ${tab.gaps.length} PINGs, longest pause ${(longestMs / 1000).toFixed(1)} s`);
  }
  for (const { mode, first, looks, fared, gaps } of tabs) {
    assert.equal(fared.mode, mode.isWorker ? "worker" : "page");
    assert.ok(fared.hiddenMs >= HIDDEN_MS, `${mode.name}: hidden for ${fared.hiddenMs} ms`);
    assert.ok(looks.every((cids) => cids.includes(first.cid)), `${mode.name}: its connection is there all the time`);
    assert.deepEqual(lasting(looks, first.cid), [], `${mode.name}: no other connection, but for probes`);
    assert.ok(Math.max(...gaps) <= PING_GAP_MAX_MS, `${mode.name}: ${Math.max(...gaps)} ms without a PING`);
    assert.deepEqual(fared.statuses.filter((type) => ["lost", "suspected", "moved"].includes(type)), [], mode.name);
  }
});

/** Connections besides `own` that were there at two looks in a row: a probe is gone within milliseconds. */
function lasting(looks, own) {
  return looks.flatMap((cids, look) => cids.filter((cid) => cid !== own && looks[look - 1]?.includes(cid)));
}

/** Times between the PINGs of a connection, by the server's trace. */
function pingGaps(cid, start, end) {
  const line = new RegExp(`^\\[\\d+\\] (\\d{4})/(\\d\\d)/(\\d\\d) (\\d\\d:\\d\\d:\\d\\d\\.\\d{3})\\d* \\[TRC\\].* - wid:${cid} - .*<<- \\[PING\\]`, "gm");
  const times = [...server.log().matchAll(line)].map(([, year, month, day, time]) => Date.parse(`${year}-${month}-${day}T${time}Z`)).filter((time) => time >= start && time <= end);
  return [...times, end].map((time, index) => time - (times[index - 1] ?? start));
}
