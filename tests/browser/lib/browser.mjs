// Chromium, headless, as Debian packages it.

import { spawn } from "node:child_process";
import { access, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { until } from "./until.mjs";

const CANDIDATES = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"];
/** Without them it looks around in the network, which has nothing to do with what is tested. */
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"];

export async function launchBrowser() {
  return chromium.launch({ executablePath: await findBrowser(), args: FLAGS });
}

/** A browser that nobody is attached to: DevTools keep service workers alive, so who attaches cannot see them end. */
export async function startUnattendedBrowser() {
  const folder = await mkdtemp(join(tmpdir(), "nats-geo-chromium-"));
  const flags = [...FLAGS, "--headless", "--remote-debugging-port=0", `--user-data-dir=${folder}`, "about:blank"];
  const child = spawn(await findBrowser(), flags, { stdio: ["ignore", "ignore", "pipe"] });
  const ended = new Promise((resolve) => child.on("exit", resolve));
  const onExit = () => child.kill("SIGKILL");
  process.on("exit", onExit);
  const stop = async () => {
    process.off("exit", onExit);
    child.kill("SIGTERM");
    await ended;
    await rm(folder, { recursive: true, force: true, maxRetries: 10 });
  };
  const log = [];
  child.stderr.on("data", (text) => log.push(String(text)));
  try {
    const [, port] = await until("Chromium names its port", () => {
      if (child.exitCode !== null) throw new Error(log.join(""));
      return /DevTools listening on ws:\/\/127\.0\.0\.1:(\d+)/.exec(log.join(""));
    }, 30_000);
    /** Opens a tab in front of the others, which are hidden by that. Asks by HTTP, which does not attach. */
    const open = async (url) => {
      const response = await fetch(`http://127.0.0.1:${port}/json/new?${encodeURIComponent(url)}`, { method: "PUT" });
      if (!response.ok) throw new Error(`Chromium opens no tab: ${await response.text()}`);
    };
    return { open, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function findBrowser() {
  for (const path of CANDIDATES) {
    if (path && (await access(path).then(() => true, () => false))) return path;
  }
  throw new Error("no Chromium: name it in CHROMIUM, or install it, as with `apt-get install -y --no-install-recommends chromium`");
}

/** Stops all service workers of the browser, as it may do at any time. */
export async function stopWorkers(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("ServiceWorker.enable");
  await session.send("ServiceWorker.stopAllWorkers");
  await session.detach();
}
