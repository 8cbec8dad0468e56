// Tests the page of loadgen's report: the sources build exactly the committed file, and loadgen can fill it with data.

import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { build, runnerImport } from "vite";
import config from "../report/vite.config.mjs";

const SOURCES = join(import.meta.dirname, "../report/src");
const BYTES_MAX = 250_000;
const committed = await readFile(join(import.meta.dirname, "../../loadgen/assets/report.html"), "utf8");

let folder;
let stats;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "nats-geo-report-"));
  ({ module: stats } = await runnerImport(join(SOURCES, "stats.ts"), { configFile: false, logLevel: "warn" }));
});

after(() => rm(folder, { recursive: true, force: true }));

it("is committed as it is built", async () => {
  await build({ ...config, build: { ...config.build, outDir: folder } });
  assert.deepEqual(await readdir(folder), ["report.html"]);
  const built = await readFile(join(folder, "report.html"), "utf8");
  assert.ok(built === committed, "loadgen/assets/report.html is not what web/report builds: run `npm ci && npm run report` in web/, and commit the file");
});

it("is one small file that names no other", () => {
  assert.ok(Buffer.byteLength(committed) < BYTES_MAX, `${Buffer.byteLength(committed)} bytes`);
  assert.doesNotMatch(committed, /<(?:script|img|iframe)[^>]*\ssrc=|<link[^>]*\shref="(?!data:)|@import|url\((?!data:)|sourceMappingURL/);
  assert.match(committed, /content="default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-[^']+'; img-src data:/);
  assert.match(committed, /Copyright \(c\) \d+ Leon Sorokin/);
});

it("has each placeholder once, so that loadgen's replacing changes nothing else", () => {
  for (const placeholder of ["__RUN_DATA__", "__RUN_TITLE__"]) assert.equal(committed.split(placeholder).length - 1, 1, placeholder);
  assert.ok(committed.includes('<script type="application/json" id="run-data">__RUN_DATA__</script>'));
  assert.ok(committed.includes("<title>__RUN_TITLE__</title>"));
});

it("never makes markup out of data", async () => {
  for (const name of (await readdir(SOURCES)).filter((file) => file.endsWith(".ts"))) {
    const code = await readFile(join(SOURCES, name), "utf8");
    assert.doesNotMatch(code, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|eval\(/, name);
  }
});

it("takes quantiles by nearest rank, as loadgen does", () => {
  assert.equal(stats.quantile([], 0.5), null);
  assert.equal(stats.quantile([7], 0), 7);
  assert.deepEqual([0, 0.25, 0.5, 0.9, 1].map((share) => stats.quantile([1, 2, 3, 4], share)), [1, 1, 2, 4, 4]);
  assert.deepEqual(stats.ascending([10, null, 9, 1]), [1, 9, 10]);
});

it("samples evenly, with the first, the median and the last", () => {
  assert.deepEqual(stats.evenly(0, 5), []);
  assert.deepEqual(stats.evenly(3, 5), [0, 1, 2]);
  for (const length of [6, 7, 100, 9999]) {
    const sample = stats.evenly(length, 5);
    assert.ok(sample.length <= 5 && sample.length >= 4, `${sample}`);
    for (const index of [0, Math.ceil(length / 2) - 1, length - 1]) assert.ok(sample.includes(index), `${length}: ${sample}`);
    assert.deepEqual(sample, [...new Set(sample)].sort((a, b) => a - b));
  }
});

it("counts a distribution over all that were hit", () => {
  assert.deepEqual(stats.distribution([5, 6], 4, 10), [{ x: 5, share: 0.25 }, { x: 6, share: 0.5 }]);
});

it("counts where clients are at each time", () => {
  const clients = [{ states: [[0, "lon"], [2, null], [3, "ams"]] }, { states: [[1, "lon"]] }];
  assert.deepEqual(stats.countsAt(clients, ["lon", "ams", null], [0, 1, 2, 2.5, 3, 9]), [[1, 2, 1, 1, 1, 1], [0, 0, 0, 0, 1, 1], [0, 0, 1, 1, 0, 0]]);
  assert.deepEqual([-1, 0, 2, 2.9, 3].map((time) => stats.stateAt(clients[0], time)), [undefined, "lon", null, null, "ams"]);
});
