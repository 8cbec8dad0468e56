// Makes a store of runs on the disk, in the layout that `loadgen run --store` writes.

import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { filled } from "./report_page.mjs";

/** Keeps a run that started at `start`, and returns its name. */
export async function keepRun(store, report, start, digits) {
  const run = nameOf(start, digits);
  const files = { "events.jsonl": "", "report.html": await filled(report), "report.json": JSON.stringify(report), "scenario.toml": `title = ${JSON.stringify(report.title)}\n` };
  const rows = Object.entries(files).map(([path, text]) => ({ path, size: Buffer.byteLength(text), sha256: digest(text) }));
  const { scenario, title, verdict, seed, wall_s, environment } = report;
  const manifest = {
    version: 1, run, scenario, title, scenario_sha256: digest(files["scenario.toml"]), changes: ["--set clients.geo.per_region=12"], verdict, seed, started_at: start.toISOString(), duration_s: wall_s,
    loadgen: environment.loadgen, nats_servers: environment.nats_servers, wan: environment.wan, host: { name: "bench-1", os: "linux x86_64", kernel: "6.12.0", cores: environment.cores }, files: rows,
  };
  const folder = join(store, "runs", run);
  await mkdir(folder, { recursive: true });
  for (const [path, text] of Object.entries({ ...files, "manifest.json": JSON.stringify(manifest) })) await writeFile(join(folder, path), text);
  const bytes = rows.reduce((sum, { size }) => sum + size, 0);
  await listRun(store, { run, state: verdict, duration_ms: Math.round(wall_s * 1000), bytes, scenario });
  return run;
}

/** Puts a run into the index only, as one that is not finished is. */
export async function listRun(store, { run, state, duration_ms, bytes, scenario }) {
  await mkdir(join(store, "index"), { recursive: true });
  await writeFile(join(store, "index", `${run}_${state.toLowerCase()}_${duration_ms}_${bytes}_${scenario}.json`), JSON.stringify({ run, state, duration_ms, bytes, scenario }));
}

/** The name of a run: its start in UTC and eight hex digits. */
export function nameOf(start, digits) {
  return `${start.toISOString().slice(0, 19).replaceAll(/[-:]/g, "")}Z-${digits}`;
}

function digest(text) {
  return createHash("sha256").update(text).digest("hex");
}
