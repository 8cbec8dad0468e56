// The book's page "Getting started in the browser", followed step by step: its files, its commands, its console output.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { after, before, it } from "node:test";
import { promisify } from "node:util";
import { launchBrowser } from "./lib/browser.mjs";
import { findServer } from "./lib/cluster.mjs";
import { until } from "./lib/until.mjs";

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, "../..");
const PAGE = join(ROOT, "docs/book/getting-started-browser.md");

const running = [];
let folder;
let browser;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "nats-geo-tutorial-"));
  await symlink(ROOT, join(folder, "nats-geo"));
  for (const [path, text] of await files()) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  for (const process of running) await stop(process);
  if (folder) await rm(folder, { recursive: true, force: true });
});

it("shows one order per second, also after the nearest server has stopped", async () => {
  const site = join(folder, "my-site");
  // The page says `make package`, which the tests have done.
  for (const command of await commands("npm install")) await run("bash", ["-euc", command], { cwd: site });
  const servers = new Map();
  for (const name of ["lon", "ams"]) servers.set(name, start(await findServer(), ["-c", join(site, `${name}.conf`)], "Server is ready"));
  await Promise.all([...servers.values()].map(({ ready }) => ready));
  await run("bash", ["-euc", "npx vite build"], { cwd: site });
  const preview = start("npx", ["vite", "preview", "--port", "0", "--host", "127.0.0.1"], "http://127.0.0.1", site);
  const [address] = /http:\/\/127\.0\.0\.1:\d+/.exec(await preview.ready);

  const page = await (await browser.newContext()).newPage();
  const shown = [];
  page.on("console", (message) => shown.push(message.text()));
  page.on("pageerror", (error) => shown.push(`error: ${error.message}`));
  await page.goto(address);
  const orders = () => shown.filter((line) => line.startsWith("orders.new one lamp")).length;
  await until("orders are shown", () => orders() >= 2 || shown.find((line) => line.startsWith("error")), 20_000);
  const first = shown.find((line) => line.startsWith("worker 127.0.0.1:"));
  assert.ok(first, shown.join("\n"));
  const region = first.endsWith(":8222") ? "lon" : "ams";
  await stop(servers.get(region).process);
  await until("the move is shown", () => shown.some((line) => /moved from/.test(line)), 20_000).catch((error) => assert.fail(`${error.message}\n${shown.join("\n")}`));
  const before = orders();
  await until("orders go on", () => orders() >= before + 2, 10_000);
});

/** [path, text] of each block below a line `<!-- write: PATH -->`. */
async function files() {
  const found = [...(await readFile(PAGE, "utf8")).matchAll(/<!-- write: (\S+) -->\s*```\w+\n([\s\S]*?)```/g)];
  assert.ok(found.length >= 5, "the page's files were not found");
  return found.map(([, path, text]) => [path, text]);
}

/** The lines of shell blocks that begin so. */
async function commands(beginning) {
  const blocks = [...(await readFile(PAGE, "utf8")).matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, text]) => text.split("\n"));
  const found = blocks.filter((line) => line.startsWith(beginning));
  assert.ok(found.length > 0, `the page has no command that begins with ${beginning}`);
  return found;
}

/** Starts a process; `ready` is what it has printed once it has printed `text`. */
function start(command, args, text, cwd = folder) {
  const process = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "pipe"], detached: true });
  running.push(process);
  const printed = [];
  for (const stream of [process.stdout, process.stderr]) stream.on("data", (data) => printed.push(String(data)));
  const plain = () => printed.join("").replace(/\x1b\[[\d;]*m/g, "");
  const ready = until(`${command} prints ${text}`, () => {
    if (process.exitCode !== null) throw new Error(plain());
    return plain().includes(text) && plain();
  }, 20_000);
  return { process, ready };
}

async function stop(process) {
  if (process.exitCode !== null || process.signalCode !== null) return;
  const ended = new Promise((resolve) => process.on("exit", resolve));
  globalThis.process.kill(-process.pid, "SIGTERM");
  await ended;
}
