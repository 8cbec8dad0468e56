// Tests the app of loadgen's dashboard: the sources build exactly the committed files, and they keep to the policy of the server.

import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { build, runnerImport } from "vite";
import config from "../dashboard/vite.config.mjs";

const SOURCES = join(import.meta.dirname, "../dashboard/src");
const COMMITTED = join(import.meta.dirname, "../../loadgen/assets/dashboard");
const FILES = ["dashboard.css", "dashboard.js", "index.html"];
const BYTES_MAX = 200_000;

let folder;
let words;
let play;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "nats-geo-dashboard-"));
  const imported = async (name) => (await runnerImport(join(SOURCES, name), { configFile: false, logLevel: "warn" })).module;
  [words, play] = await Promise.all(["words.ts", "play.ts"].map(imported));
});

after(() => rm(folder, { recursive: true, force: true }));

it("is committed as it is built", async () => {
  await build({ ...config, build: { ...config.build, outDir: folder } });
  for (const place of [folder, COMMITTED]) assert.deepEqual((await readdir(place)).sort(), FILES);
  for (const name of FILES) {
    const [built, committed] = await Promise.all([folder, COMMITTED].map((place) => readFile(join(place, name), "utf8")));
    assert.ok(built === committed, `loadgen/assets/dashboard/${name} is not what web/dashboard builds: run \`npm ci && npm run dashboard\` in web/, and commit the file`);
  }
});

it("is small, loads only its own files, and has no script or style in its page", async () => {
  const [css, script, page] = await Promise.all(FILES.map((name) => readFile(join(COMMITTED, name), "utf8")));
  assert.ok(Buffer.byteLength(css + script + page) < BYTES_MAX, `${Buffer.byteLength(css + script + page)} bytes`);
  const loaded = [...page.matchAll(/<(?:script|link)[^>]*(?:src|href)="(?!data:)([^"]*)"/g)].map(([, address]) => address);
  assert.deepEqual(loaded.sort(), ["/assets/dashboard.css", "/assets/dashboard.js"]);
  assert.doesNotMatch(page, /<script(?![^>]*src=)|<style|\sstyle=|\son\w+=/);
  assert.doesNotMatch(css, /@import|url\((?!data:)/);
  assert.doesNotMatch(script, /sourceMappingURL/);
  assert.equal(script.match(/^The script contains /gm).length, 3);
  assert.match(script, /Copyright \(c\) \d+ Leon Sorokin/);
});

it("never makes markup out of data", async () => {
  for (const name of (await readdir(SOURCES)).filter((file) => file.endsWith(".ts"))) {
    const code = await readFile(join(SOURCES, name), "utf8");
    assert.doesNotMatch(code, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|eval\(/, name);
  }
});

it("writes sizes and times as loadgen does", () => {
  assert.deepEqual([0, 1023, 1024, 23_343_104].map(words.bytes), ["0 B", "1023 B", "1.0 KiB", "22.3 MiB"]);
  assert.equal(words.duration(9.4, 0), "9 s");
  assert.deepEqual([9, 59.96, 200, 7260, 90_000].map((seconds) => words.duration(seconds)), ["9.0 s", "60.0 s", "3 min 20 s", "2 h 1 min", "1 d 1 h"]);
  assert.equal(words.startOf("20261130T050305Z-1a2b3c4d"), "2026-11-30 05:03:05");
  assert.equal(words.startOf("latest"), "latest");
  assert.equal(words.tailOf("20261130T050305Z-1a2b3c4d"), "1a2b3c4d");
  assert.equal(words.timeOf("2026-11-30T05:03:05.25Z"), "05:03:05 UTC");
});

/** An event about agents: seconds since the first one, time on the timeline, and operations that succeeded by region. */
const event = (second, at_s, ok) => ({
  at: new Date(Date.UTC(2026, 10, 30, 12, 0, 0, second * 1000)).toISOString(),
  status: { at_s, lasts_s: 20, populations: ["geo"], regions: Object.entries(ok).map(([name, ok]) => ({ name, rtt_ms: null, connected: [0], offline: 0, ok, failed: 0 })), moves: [] },
});
const silence = (second) => ({ at: event(second, 0, {}).at, status: null });
/** The rates after each of the events. */
const rates = (...events) => {
  const counter = new play.Rates();
  return events.map((one) => Object.fromEntries(counter.add(one)));
};

it("computes rates from two events, over the time on the timeline", () => {
  assert.deepEqual(rates(event(0, 1, { lon: 10, ams: 0 }), event(1.5, 2, { lon: 30, ams: 0 }), event(2.5, 4, { lon: 50, ams: 5 })), [{}, { lon: 20, ams: 0 }, { lon: 10, ams: 2.5 }]);
});

it("keeps a rate while no agent has counted anew", () => {
  const same = event(2, 2, { lon: 30 });
  assert.deepEqual(rates(event(0, 1, { lon: 10 }), event(1, 2, { lon: 30 }), same, event(3, 4, { lon: 50 })), [{}, { lon: 20 }, { lon: 20 }, { lon: 10 }]);
});

it("shows no operations if all agents of a run are gone", () => {
  const last = event(1, 2, { lon: 30 });
  const later = (second) => ({ ...last, at: event(second, 0, {}).at });
  assert.deepEqual(rates(event(0, 1, { lon: 10 }), last, later(5), later(6), later(7)), [{}, { lon: 20 }, { lon: 20 }, { lon: 0 }, { lon: 0 }]);
});

it("begins anew if a counter falls, if the timeline does, and after a pause", () => {
  const [first, second] = [event(0, 7, { lon: 100, ams: 50 }), event(1, 8, { lon: 120, ams: 60 })];
  assert.deepEqual(rates(first, second, event(2, 9, { lon: 125, ams: 5 }), event(3, 10, { lon: 130, ams: 10 })), [{}, { lon: 20, ams: 10 }, {}, { lon: 5, ams: 5 }]);
  assert.deepEqual(rates(first, second, event(2, 1, { lon: 130, ams: 70 })).at(-1), {});
  assert.deepEqual(rates(first, second, silence(2), event(3, 9, { lon: 200, ams: 90 })).slice(2), [{}, {}]);
});

it("gives a region that appears later no rate at first", () => {
  assert.deepEqual(rates(event(0, 1, { lon: 10 }), event(1, 2, { lon: 20, ams: 500 }), event(2, 3, { lon: 30, ams: 510 })), [{}, { lon: 10 }, { lon: 10, ams: 10 }]);
});

it("says what goes on, which agents are silent, and which play nothing", () => {
  const agent = (name, region, heard_s) => ({ name, region, heard_s });
  const agents = [agent("lon-1", "lon", 0.4), agent("ams-1", "ams", null), agent("nyc-1", "nyc", 12)];
  const run = { scenario: "region-outage", phase: "outage" };
  const { status } = event(0, 3.9, { lon: 0, ams: 0 });
  assert.equal(play.describeRun({ run: null, agents, status: null }), "No run goes on: 3 agents wait");
  assert.equal(play.describeRun({ run: null, agents: agents.slice(1, 2), status: null }), "No run goes on: 1 agent waits");
  assert.equal(play.describeRun({ run: null, agents: [], status: null }), "No run goes on, and no agent is connected");
  assert.equal(play.describeRun({ run, agents, status }), "region-outage, phase outage, 3 s of 20 s");
  assert.equal(play.describeRun({ run: { ...run, phase: null }, agents, status: null }), "region-outage, before the first phase, no agent plays yet");
  assert.equal(play.describeState({ run, agents }), "region-outage, phase outage, 3 agents");
  assert.deepEqual(play.describeSilent(agents), ["No sign of life for 10 s from `nyc-1`. It ended, or does not reach the back channel."]);
  assert.deepEqual(play.describeSilent(agents.slice(0, 2)), []);
  assert.equal(play.describeIdle({ agents, status }), "`nyc-1` plays no clients, because the run does not have its region.");
  assert.equal(play.describeIdle({ agents, status: null }), "");
  assert.equal(play.describePopulations({ populations: ["geo", "stock"], regions: [{ connected: [2, 1] }, { connected: [4] }] }), "geo 6, stock 1");
});
