// The demo, as a person uses it: `loadgen up --serve`, a browser, and the buttons.

import assert from "node:assert/strict";
import { access } from "node:fs/promises";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { launchBrowser } from "./lib/browser.mjs";
import { startLoadgen } from "./lib/loadgen.mjs";
import { until } from "./lib/until.mjs";

const ROOT = join(import.meta.dirname, "../..");
/** Nine servers elect leaders and store a film; on a busy machine that takes its time. */
const START_WAIT_MS = 120_000;

let loadgen;
let browser;

before(async () => {
  await access(join(ROOT, "web/dist/index.html")).catch(() => {
    throw new Error("the demo is not built: run `make web`");
  });
  loadgen = await startLoadgen(["up", "--regions", "lon,ams,dal", "--serve"], START_WAIT_MS);
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  await loadgen?.stop();
});

it("moves to the next region when its own dies, and the film goes on", async () => {
  const page = await opened();
  await connectedTo(page, "lon");
  await until("the film plays", () => page.evaluate(() => document.getElementById("film").currentTime > 1));
  assert.equal(new URL(page.url()).hash, "", "the token stays out of the address");

  await page.getByRole("button", { name: "Kill every server in lon" }).click();
  await connectedTo(page, "ams");
  const seconds = await page.evaluate(() => document.getElementById("film").currentTime);
  await until("the film goes on", () => page.evaluate((seconds) => document.getElementById("film").currentTime > seconds + 2, seconds));
  assert.equal(await page.evaluate(() => document.getElementById("film").error), null);
  await until("requests are answered", async () => (await text(page, "#answered")).includes("connected to ams"));
  assert.match(await text(page, "#timeline"), /moved from lon\/.* to ams\//);
  assert.equal(await page.getByRole("button", { name: "Kill every server in lon" }).isDisabled(), true);

  await page.getByRole("button", { name: "Heal lon" }).click();
  await until("lon is healthy", async () => (await text(page, "#regions article:first-child")).includes("healthy"), START_WAIT_MS);
  await page.context().close();
});

it("is elsewhere when the person is", async () => {
  const page = await opened();
  await connectedTo(page, "lon");
  await page.getByRole("radio", { name: "dal" }).check();
  await connectedTo(page, "dal");
  await page.context().close();
});

it("works with the keyboard, in the dark, and on a phone", async () => {
  const context = await browser.newContext({ colorScheme: "dark", viewport: { width: 360, height: 740 } });
  const page = await opened(context);
  await connectedTo(page, "lon");
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  await page.getByRole("button", { name: "Dark" }).focus();
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "light");
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, "nothing sticks out");
  const nameless = await page.evaluate(() => [...document.querySelectorAll("button, input, video, canvas")].filter((element) => !element.ariaLabel && !element.textContent.trim() && !element.labels?.length).length);
  assert.equal(nameless, 0, "everything that does something has a name");
  await context.close();
});

it("opens without loadgen, and says what is missing", async () => {
  const page = await opened();
  await connectedTo(page, "lon");
  await until("the page is kept", () => page.evaluate(async () => (await caches.match("./")) !== undefined));
  await loadgen.stop();
  await page.reload();
  await until("what to do", async () => (await text(page, "#refused")).includes("loadgen up --regions"));
  assert.equal(await text(page, "h1"), "nats-geo");
  await page.context().close();
});

async function opened(context) {
  const page = await (context ?? (await browser.newContext())).newPage();
  await page.goto(loadgen.address);
  return page;
}

function connectedTo(page, region) {
  return until(`connected to ${region}`, async () => (await text(page, "#now")).startsWith(`Connected to ${region}`), 30_000);
}

function text(page, selector) {
  return page.locator(selector).innerText();
}
