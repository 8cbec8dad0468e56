// Runs the end-to-end tests, one file after the other: they measure times, and each starts a super-cluster of its own.
// `npm run e2e -- worker region` runs the files whose name contains "worker" or "region"; `npm run e2e -- --but worker` runs the others.

import { spawn } from "node:child_process";
import { access, readdir } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";

const here = import.meta.dirname;
const { values, positionals: wanted } = parseArgs({ options: { but: { type: "boolean" } }, allowPositionals: true });
const all = (await readdir(here)).filter((name) => name.endsWith(".test.mjs"));
for (const part of wanted) {
  if (!all.some((name) => name.includes(part))) throw new Error(`no test file has ${JSON.stringify(part)} in its name`);
}
const isWanted = (name) => wanted.some((part) => name.includes(part));
const files = wanted.length === 0 ? all : all.filter((name) => isWanted(name) !== Boolean(values.but));
await access(join(here, "../../nats-geo-wasm/js/dist/index.js")).catch(() => {
  throw new Error("the package is not built: run `npm run build` in nats-geo-wasm/js");
});
const child = spawn(process.execPath, ["--test", "--test-concurrency=1", "--test-reporter=spec", ...files.map((name) => join(here, name))], { stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code) => (process.exitCode = code ?? 1));
