// Runs the end-to-end tests, one file after the other: they measure times, and each starts a super-cluster of its own.
// `npm run e2e -- worker` runs the files whose name contains "worker".

import { spawn } from "node:child_process";
import { access, readdir } from "node:fs/promises";
import { join } from "node:path";

const here = import.meta.dirname;
const [wanted = ""] = process.argv.slice(2);
const files = (await readdir(here)).filter((name) => name.endsWith(".test.mjs") && name.includes(wanted));
if (files.length === 0) throw new Error(`no test file has ${JSON.stringify(wanted)} in its name`);
await access(join(here, "../../nats-geo-wasm/js/dist/index.js")).catch(() => {
  throw new Error("the package is not built: run `npm run build` in nats-geo-wasm/js");
});
const child = spawn(process.execPath, ["--test", "--test-concurrency=1", "--test-reporter=spec", ...files.map((name) => join(here, name))], { stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code) => (process.exitCode = code ?? 1));
