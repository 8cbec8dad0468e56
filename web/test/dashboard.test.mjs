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

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "nats-geo-dashboard-"));
  ({ module: words } = await runnerImport(join(SOURCES, "words.ts"), { configFile: false, logLevel: "warn" }));
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
