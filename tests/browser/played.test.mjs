// Scenarios with clients of kind `browser`: loadgen runs a real browser, whose service workers are the clients.

import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { launchBrowser } from "./lib/browser.mjs";
import { accessible } from "./lib/checks.mjs";
import { findServer } from "./lib/cluster.mjs";
import { runLoadgen, startLoadgen } from "./lib/loadgen.mjs";
import { until } from "./lib/until.mjs";

/** Cargo may have to build loadgen first. */
const START_WAIT_MS = 600_000;
/** The browser's processes end after it. */
const END_WAIT_MS = 20_000;
/** Exit codes of a run that was played to its end with all thresholds: PASS and INCONCLUSIVE. A busy machine decides which. */
const PLAYED = [0, 98];
const ENV = { LOADGEN_OPS: undefined };
const SCENARIO = `
title = "Browsers in a region that dies"
thresholds = [
  "requests.failed{population=browser, phase=quiet} == 0",
  "nearest_share{population=browser, phase=quiet} == 100%",
  "failover.missed{population=browser} == 0",
  "js.lost{population=browser} == 0",
  "js.duplicated{population=browser} == 0",
]

[[clients]]
kind = "browser"
per_region = 1

[[clients]]
kind = "nats-geo"
per_region = 1

[[workload]]
kind = "request"
rate = 20

[[workload]]
kind = "jetstream"
rate = 10

[[workload]]
kind = "publish"
rate = 10
clients = ["browser"]

[[workload]]
kind = "kv"
rate = 10
clients = ["browser"]

[[phase]]
name = "quiet"
for = "4s"

[[phase]]
name = "outage"
for = "5s"

[[fault]]
inject = "kill"
target = "lon"
phase = "outage"
`;

let folder;
let scenario;
let server;
/** Commands to be ended, the last one first. */
const started = [];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "nats-geo-played-"));
  scenario = join(folder, "browsers.toml");
  await writeFile(scenario, SCENARIO);
  server = await findServer();
});

after(async () => {
  for (const stop of started.splice(0).reverse()) await stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

describe("clients in a browser", () => {
  it("are where they belong, leave a region that dies, and lose nothing in streams", async () => {
    const out = join(folder, "out");
    const before = await browsers();
    const { ended } = run(out);
    // Seen from outside: a browser runs beside the servers, and is gone in the end.
    await until("a browser runs", async () => (await browsers()).length > before.length, START_WAIT_MS);
    const code = await ended;
    assert.ok(PLAYED.includes(code), `exit code ${code}`);
    await until("the browser has ended", async () => (await browsers()).length <= before.length, END_WAIT_MS);
    const report = await reportOf(out);
    moved(report);
    const published = report.ledger.filter(({ workload, population }) => workload === "publish" && population === "browser");
    assert.equal(published.length, 3, JSON.stringify(report.ledger));
    const [kept] = report.stores;
    assert.ok(kept.population === "browser", JSON.stringify(report.stores));
    for (const row of published) assert.ok(row.attempted > 100 && row.delivered > row.attempted / 2, JSON.stringify(row));
  });

  it("are played by agents too", async () => {
    const control = await begin(["control", "--nats-server", server]);
    const [, ops] = /^export LOADGEN_OPS=(\S+)$/.exec(control.address);
    for (const region of ["lon", "ams", "dal"]) await begin(["agent", "--region", region, "--ops", ops], /takes orders/);
    const out = join(folder, "agents");
    const code = await run(out, ["--agents=3", "--ops", ops]).ended;
    assert.ok(PLAYED.includes(code), `exit code ${code}`);
    moved(await reportOf(out));
    for (const stop of started.splice(0).reverse()) await stop();
  });

  it("can be browsers that people open", async () => {
    const out = join(folder, "by-hand");
    const { ended, errors } = run(out, ["--by-hand"]);
    const [address] = await until("the address is printed", () => /http:\/\/127\.0\.0\.1:\d+\/client\.html#token=\w+/.exec(errors()), START_WAIT_MS);
    const browser = await launchBrowser();
    try {
      // Each context has a service worker of its own, as each browser has. Three are clients, and three receive what is published.
      const pages = [];
      for (let number = 0; number < 6; number++) pages.push(await (await browser.newContext()).newPage());
      for (const page of pages) await page.goto(address);
      const code = await ended;
      assert.ok(PLAYED.includes(code), `exit code ${code}`);
      moved(await reportOf(out));
      for (const page of pages) await page.getByText("none: loadgen has ended").waitFor();
      await accessible(pages[0]);
    } finally {
      await browser.close();
    }
  });

  it("end with loadgen, also when loadgen is killed", async () => {
    const before = await browsers();
    const { kill, ended } = run(join(folder, "killed"));
    await until("a browser runs", async () => (await browsers()).length > before.length, START_WAIT_MS);
    kill();
    await ended;
    await until("the browser has ended", async () => (await browsers()).length <= before.length, END_WAIT_MS);
    await until("its profile is removed", async () => (await profiles()).length === 0, END_WAIT_MS);
  });

  it("need a browser and pages, and errors say so before anything starts", async () => {
    for (const [args, text] of [
      [["--web", join(folder, "nothing")], /`.*nothing\/clients\.html` is missing: run `make web`/],
      [["--browser", "/bin/false"], /the browser `\/bin\/false` has ended: choose Chromium or Chrome with `--browser`/],
      [["--wan", "netns"], /a browser cannot reach servers in network namespaces/],
    ]) {
      const { ended, errors } = run(join(folder, "refused"), args);
      assert.equal(await ended, 1, args.join(" "));
      assert.match(errors(), text);
    }
  });
});

function run(out, args = []) {
  const command = runLoadgen(["run", scenario, "--out", out, "--nats-server", server, ...args], ENV);
  started.push(command.stop);
  return command;
}

async function begin(args, ready) {
  const command = await startLoadgen(args, START_WAIT_MS, ENV, ready);
  started.push(command.stop);
  return command;
}

/** Fails unless the browser of lon had an answer from another region, and loadgen saw each step of the move. */
function moved({ failovers }) {
  const ours = failovers.filter(({ population }) => population === "browser");
  assert.equal(ours.length, 1, JSON.stringify(failovers));
  const [{ region, to, total_ms, detection_ms, reconnect_ms }] = ours;
  assert.equal(region, "lon");
  assert.match(to, /^(ams|dal)-/);
  for (const step of [total_ms, detection_ms, reconnect_ms]) assert.ok(step >= 0 && step < 5_000, JSON.stringify(ours));
}

const reportOf = async (out) => JSON.parse(await readFile(join(out, "report.json"), "utf8")).runs[0];

/** Processes of browsers with a profile of loadgen, as the system lists them. */
async function browsers() {
  const found = [];
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (command.includes("loadgen-browser-")) found.push(pid);
  }
  return found;
}

const profiles = async () => (await readdir(tmpdir())).filter((name) => name.startsWith("loadgen-browser-"));
