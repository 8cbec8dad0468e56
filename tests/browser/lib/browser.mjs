// Chromium, headless, as Debian packages it.

import { access } from "node:fs/promises";
import { chromium } from "playwright-core";

const CANDIDATES = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"];
/** Without them it looks around in the network, which has nothing to do with what is tested. */
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"];

export async function launchBrowser() {
  for (const executablePath of CANDIDATES) {
    if (executablePath && (await access(executablePath).then(() => true, () => false))) return chromium.launch({ executablePath, args: FLAGS });
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
