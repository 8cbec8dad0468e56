// Three browser engines behind one small interface, so that each test is written once.
//
// `launch()` starts a browser. Its `open(url)` returns a page in a context of its own, with `evaluate(work, argument)`,
// `reload()` and `close()`. `work` runs in the page; its result must be JSON.

import { spawn } from "node:child_process";
import { access, mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import puppeteer from "puppeteer-core";
import { Builder, Capabilities } from "selenium-webdriver";
import { launchBrowser } from "./browser.mjs";
import { until } from "./until.mjs";

const FIREFOX = [process.env.FIREFOX, "/usr/bin/firefox-esr", "/usr/bin/firefox", "/Applications/Firefox.app/Contents/MacOS/firefox"];
const WEBKIT_DRIVER = [process.env.WEBKIT_DRIVER, "/usr/bin/WebKitWebDriver"];
/** A page of a busy machine may take long; a test that hangs must end all the same. */
const SCRIPT_LIMIT_MS = 120_000;

/** By name: what starts each engine. */
export const ENGINES = { chromium: launchChromium, firefox: launchFirefox, webkit: launchWebKit };

async function launchChromium() {
  const browser = await launchBrowser();
  const open = async (url) => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(url);
    return { evaluate: (work, argument) => page.evaluate(work, argument), reload: () => page.reload(), close: () => context.close() };
  };
  return { open, close: () => browser.close() };
}

/** Firefox through WebDriver BiDi, with a profile and a home of its own: it refuses a home that belongs to somebody else. */
async function launchFirefox() {
  const home = await mkdtemp(join(tmpdir(), "nats-geo-firefox-"));
  const executablePath = await find("Firefox", "firefox-esr", "FIREFOX", FIREFOX);
  const browser = await puppeteer.launch({ browser: "firefox", executablePath, headless: true, env: { ...process.env, HOME: home } });
  const open = async (url) => {
    const context = await browser.createBrowserContext();
    const page = await context.newPage();
    await page.goto(url);
    return { evaluate: (work, argument) => page.evaluate(work, argument), reload: () => page.reload(), close: () => context.close() };
  };
  const close = async () => {
    await browser.close();
    await rm(home, { recursive: true, force: true, maxRetries: 10 });
  };
  return { open, close };
}

/** WebKitGTK through its own WebDriver. It has no headless mode, so it gets a screen that nobody sees. */
async function launchWebKit() {
  const undo = [];
  const close = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const driver = await find("WebKitGTK's WebDriver", "webkit2gtk-driver", "WEBKIT_DRIVER", WEBKIT_DRIVER);
    const screen = await startScreen();
    undo.push(screen.stop);
    const port = await freePort();
    const { child, stop } = started(driver, [`--port=${port}`], { DISPLAY: screen.display });
    undo.push(stop);
    const server = `http://127.0.0.1:${port}`;
    await until("WebKitGTK's WebDriver answers", () => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
      return fetch(`${server}/status`).then(({ ok }) => ok, () => false);
    });
    return { open: (url) => openWebKitPage(server, url, undo), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A session of WebDriver is a browser of its own, with an empty profile. */
async function openWebKitPage(server, url, undo) {
  const capabilities = new Capabilities({ browserName: "MiniBrowser", "webkitgtk:browserOptions": { args: ["--automation"] } });
  const driver = await new Builder().usingServer(server).withCapabilities(capabilities).build();
  let isOpen = true;
  const close = async () => {
    if (isOpen) await driver.quit();
    isOpen = false;
  };
  undo.push(close);
  await driver.manage().setTimeouts({ script: SCRIPT_LIMIT_MS });
  await driver.get(url);
  const evaluate = async (work, argument) => {
    const script = `
      const done = arguments[arguments.length - 1];
      (async () => (${work})(arguments[0]))().then((value) => done({ value }), (error) => done({ error: String(error?.stack ?? error) }));`;
    // An argument that is missing would become null.
    const { value, error } = await driver.executeAsyncScript(script, ...(argument === undefined ? [] : [argument]));
    if (error !== undefined) throw new Error(error);
    return value ?? undefined;
  };
  return { evaluate, reload: () => driver.navigate().refresh(), close };
}

/** A virtual X server on a display number that nobody uses. */
async function startScreen() {
  const child = spawn("Xvfb", ["-displayfd", "3", "-screen", "0", "1280x800x24", "-nolisten", "tcp"], { stdio: ["ignore", "ignore", "ignore", "pipe"] });
  const stop = stopperOf(child);
  const number = await new Promise((resolve, reject) => {
    child.on("error", (cause) => reject(new Error("no Xvfb: install it, as with `apt-get install -y --no-install-recommends xvfb`", { cause })));
    child.on("exit", (code) => reject(new Error(`Xvfb ended with ${code}`)));
    child.stdio[3].on("data", (text) => resolve(Number(text)));
  });
  return { display: `:${number}`, stop };
}

function started(command, args, env) {
  const child = spawn(command, args, { stdio: "ignore", env: { ...process.env, ...env } });
  return { child, stop: stopperOf(child) };
}

/** Returns what ends a child. The end of this process ends it too. */
function stopperOf(child) {
  const ended = new Promise((resolve) => child.on("exit", resolve));
  const onExit = () => child.kill("SIGKILL");
  process.on("exit", onExit);
  return async () => {
    process.off("exit", onExit);
    child.kill("SIGTERM");
    if (child.exitCode === null && child.pid !== undefined) await ended;
  };
}

async function find(what, debianPackage, variable, candidates) {
  for (const path of candidates) {
    if (path && (await access(path).then(() => true, () => false))) return path;
  }
  throw new Error(`no ${what}: name it in ${variable}, or install it, as with \`apt-get install -y --no-install-recommends ${debianPackage}\``);
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer().on("error", reject).listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
