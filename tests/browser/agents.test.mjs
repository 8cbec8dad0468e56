// The dashboard's page of agents, as an operator uses it: a back channel, three agents and a run that they play, in a real browser.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { launchBrowser } from "./lib/browser.mjs";
import { accessible, fits } from "./lib/checks.mjs";
import { findServer } from "./lib/cluster.mjs";
import { openPage, text, tile } from "./lib/dashboard_page.mjs";
import { runLoadgen, startLoadgen } from "./lib/loadgen.mjs";
import { listRun, nameOf } from "./lib/store.mjs";
import { until } from "./lib/until.mjs";

const WIDTHS = [360, 1440];
const THEMES = ["light", "dark"];
const PATHS = ["/agents", "/frame/agents"];
/** Cargo may have to build loadgen first. */
const START_WAIT_MS = 600_000;
/** The servers under test have to start before the clients do. */
const RUN_WAIT_MS = 120_000;
/** An agent is silent after 10 s. */
const SILENT_WAIT_MS = 60_000;
/** The back channel is the one of --ops, whatever the environment of the tests names. */
const ENV = { LOADGEN_OPS: undefined };
const REGIONS = ["ams", "dal", "lon"];
const QUIET_S = 4;
const SCENARIO = `
title = "Agents on the dashboard"
thresholds = ["requests.failed{phase=quiet} == 0"]

[[clients]]
name = "geo"
kind = "nats-geo"
per_region = 2

[[workload]]
kind = "request"
rate = 20

[[phase]]
name = "quiet"
for = "${QUIET_S}s"

[[phase]]
name = "outage"
for = "4s"

[[fault]]
inject = "kill"
target = "lon"
phase = "outage"
`;
/** Exit codes of a run that was played to its end: PASS, INCONCLUSIVE and FAIL. A busy machine decides which. */
const PLAYED = [0, 98, 99];

const agents = {};
/** Commands to be ended, the last one first. */
const started = [];
let browser;
let dashboard;
let folder;
let ops;
let server;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "nats-geo-agents-"));
  await writeFile(join(folder, "lon-dies.toml"), SCENARIO);
  const store = join(folder, "store");
  await listRun(store, { run: nameOf(new Date(Date.UTC(2026, 10, 29)), "0000000a"), state: "UNFINISHED", duration_ms: 0, bytes: 0, scenario: "soak" });
  server = await findServer();
  const control = await start(["control", "--nats-server", server]);
  [, ops] = /^export LOADGEN_OPS=(\S+)$/.exec(control.address);
  for (const region of REGIONS) agents[region] = await start(["agent", "--region", region, "--ops", ops], /takes orders/);
  dashboard = await start(["dashboard", "--store", store, "--listen", "127.0.0.1:0", "--ops", ops]);
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  for (const { stop } of started.reverse()) await stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

for (const path of PATHS) {
  describe(path, () => {
    for (const width of WIDTHS) {
      for (const theme of THEMES) {
        it(`fits ${width} px in the ${theme} theme, and is accessible`, async () => {
          const { page, close } = await opened(path, { width, theme });
          await agentsAreListed(page);
          assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), theme);
          await fits(page);
          await accessible(page);
          await close();
        });
      }
    }

    it("lists three agents, and says that no run goes on", async () => {
      const { page, close } = await opened(path);
      await agentsAreListed(page);
      assert.match(await tile(page, "Agents").innerText(), /3\s+in 3 regions/);
      assert.match(await tile(page, "Clients connected").innerText(), /–\s+no run goes on/);
      assert.match(await text(page, "#status"), /^No run goes on: 3 agents wait/);
      await until("all agents are heard", async () => (await rows(page, "Agents")).every((cells) => /^\d\.\d s ago$/.test(cells.at(-1))));
      assert.deepEqual((await rows(page, "Agents")).map(([, region]) => region).sort(), REGIONS);
      await page.getByText("No clients play: loadgen run FILE --agents --ops URL starts a run.").waitFor();
      await close();
    });
  });
}

it("is a page of the navigation, and not of the frame", async () => {
  const { page, close } = await opened("/runs");
  await page.getByRole("link", { name: "Agents" }).focus();
  await page.keyboard.press("Enter");
  await agentsAreListed(page);
  assert.equal(new URL(page.url()).pathname, "/agents");
  assert.equal(await page.locator("#pages [aria-current]").innerText(), "Agents");
  assert.equal(await text(page, "h1"), "Agents");
  await close();
  const frame = await opened("/frame/agents");
  await agentsAreListed(frame.page);
  assert.equal(await frame.page.getByRole("link", { name: "Agents" }).count(), 0);
  await frame.close();
});

it("follows a run to its end: phases, clients and their moves, on the page and in the frame", { timeout: 400_000 }, async () => {
  const pages = await Promise.all([opened("/agents"), opened("/agents", { width: 360, theme: "dark" }), opened("/frame/agents")]);
  const [wide, narrow, frame] = pages.map(({ page }) => page);
  for (const { page } of pages) await agentsAreListed(page);
  // The reader's place stays while figures change.
  await wide.getByRole("region", { name: "Agents (table)" }).focus();

  const run = runLoadgen(["run", join(folder, "lon-dies.toml"), "--agents", "--ops", ops, "--out", join(folder, "out"), "--nats-server", server], ENV);
  started.push(run);
  // If the run itself fails, the test says so at once, and does not wait for the pages.
  const played = run.ended.then((code) => assert.ok(PLAYED.includes(code), `loadgen run ended with ${code}`));
  await Promise.all([played, seesOutage(wide), seesOutage(frame), seesClients(narrow)]);
  assert.equal(await wide.evaluate(() => document.activeElement.getAttribute("aria-label")), "Agents (table)");

  for (const page of [wide, narrow, frame]) {
    await until("no run goes on", async () => (await text(page, "#now")).startsWith("No run goes on: 3 agents wait."), RUN_WAIT_MS);
    assert.match(await tile(page, "Clients connected").innerText(), /–\s+no run goes on/);
    assert.equal(await page.locator("#moves li").count(), 0);
    await fits(page);
    await accessible(page);
  }
  for (const { close } of pages) await close();
});

it("marks an agent that is silent", { timeout: 120_000 }, async () => {
  const { page, close } = await opened("/agents");
  await agentsAreListed(page);
  await agents.dal.stop();
  const row = page.getByRole("table", { name: "Agents", exact: true }).locator("tbody tr", { has: page.getByRole("cell", { name: "dal", exact: true }) });
  await until("the agent of dal is marked", async () => (await row.locator("td.bad").count()) === 1, SILENT_WAIT_MS);
  assert.match(await row.locator("td.bad").innerText(), /^✗ 1\d\.\d s ago$/);
  assert.match(await text(page, "#trouble"), /^No sign of life for 10 s from dal-\S+\. It ended/);
  assert.match(await tile(page, "Agents").innerText(), /3\s+1 silent/);
  await accessible(page);
  await close();
});

/** Waits until the page shows all clients, and then checks it while they play. */
async function seesClients(page) {
  await clientsAreConnected(page);
  await fits(page);
  await accessible(page);
}

/** Waits until the page shows all of the run: clients, rates, the phase in which lon dies, and a client that moves away from there. */
async function seesOutage(page) {
  await clientsAreConnected(page);
  await until("operations are counted", async () => (await rows(page, "Regions")).every(([, , , rate]) => Number(rate) > 0));
  await until("the chart has rates", async () => /^Now: ams \d+ · dal \d+ · lon \d+$/.test(await text(page, "#live figure .readout")));
  assert.equal(await page.locator("#live canvas").count(), 1, "the chart is drawn");
  await until("the outage is shown", async () => /^lon-dies, phase outage, \d+ s of 8 s\./.test(await text(page, "#now")), RUN_WAIT_MS);
  await until("a client moves away from lon", async () => (await page.locator("#moves li").allTextContents()).some(isMoveFromLon), RUN_WAIT_MS);
  await until("all clients are connected to the other regions", async () => {
    const connected = new Map((await rows(page, "Regions")).map(([region, geo]) => [region, Number(geo)]));
    return connected.get("lon") === 0 && connected.get("ams") + connected.get("dal") === 6;
  }, RUN_WAIT_MS);
}

async function clientsAreConnected(page) {
  await until("six clients are connected", async () => (await tile(page, "Clients connected").locator("dd").allTextContents()).join() === "6,geo 6", RUN_WAIT_MS);
}

/** Whether a client of lon moves to another region, after lon died. A client that was seen offline in between comes from nowhere. */
function isMoveFromLon(move) {
  const [, second, words] = /^(\d+\.\d) s: (.*)$/.exec(move) ?? [];
  return Number(second) >= QUIET_S && /\blon\b.*\b(?:ams|dal)-\d+$/.test(words);
}

async function agentsAreListed(page) {
  await until("three agents are listed, and no run goes on", async () => (await text(page, "#now")).startsWith("No run goes on: 3 agents wait.") && (await rows(page, "Agents")).length === 3, 30_000);
}

/** The texts of the cells of a table, in one look: the page changes each second. */
async function rows(page, caption) {
  return page.getByRole("table", { name: caption, exact: true }).evaluate((table) => [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.textContent)));
}

function opened(path, options) {
  return openPage(browser, dashboard.address, path, options);
}

async function start(args, ready) {
  const command = await startLoadgen(args, START_WAIT_MS, ENV, ready);
  started.push(command);
  return command;
}
