// Runs the unit tests: bundles them, because Node 20 does not run TypeScript, and hands them to its test runner.

import { spawn } from "node:child_process";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";

const outdir = join(import.meta.dirname, "../.test");
const tests = (await readdir(import.meta.dirname)).filter((name) => name.endsWith(".test.ts"));

await rm(outdir, { recursive: true, force: true });
await build({
  entryPoints: tests.map((name) => join(import.meta.dirname, name)),
  outdir,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  sourcemap: "inline",
  outExtension: { ".js": ".mjs" },
  define: { VERSION: '"0.0.0"', CLASSIC: "false", WASM_FILE: '"./none.wasm"' },
  logLevel: "warning",
  plugins: [withoutEngine()],
});
const files = tests.map((name) => join(outdir, name.replace(/\.ts$/, ".mjs")));
const child = spawn(process.execPath, ["--enable-source-maps", "--test", "--test-reporter=spec", ...files], { stdio: "inherit" });
child.on("exit", (code) => (process.exitCode = code ?? 1));

/** What starts no engine can be tested without one being built. */
function withoutEngine() {
  return {
    name: "without-engine",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^virtual:engine$/ }, () => ({ path: "engine", namespace: "engine" }));
      onLoad({ filter: /.*/, namespace: "engine" }, () => ({ contents: `export function createGlue() { throw new Error("unit tests have no engine"); }` }));
    },
  };
}
