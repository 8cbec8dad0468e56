// The page Operate of loadgen's dashboard: orders by mouse and keyboard to a super-cluster that `loadgen up` keeps running.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { launchBrowser } from "./lib/browser.mjs";
import { accessible, fits } from "./lib/checks.mjs";
import { openPage, originOf } from "./lib/dashboard_page.mjs";
import { ENGINES } from "./lib/engines.mjs";
import { startLoadgen } from "./lib/loadgen.mjs";
import { until } from "./lib/until.mjs";

/** Cargo may have to build loadgen first, and JetStream may elect a leader. */
const START_WAIT_MS = 600_000;
const VIEWER = "view-0123456789abcdef";
const OPERATOR = "operate-0123456789abcdef";

let browser;
let folder;
let up;
let dashboard;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "nats-geo-operate-"));
  const file = async (name, text) => {
    await writeFile(join(folder, name), text);
    return join(folder, name);
  };
  const tokens = ["--token-file", await file("view", VIEWER), "--operator-token-file", await file("operate", OPERATOR)];
  // No super-cluster that is up here for another reason gets orders.
  const env = { XDG_RUNTIME_DIR: folder, NATS_URL: undefined, LOADGEN_OPS: undefined };
  up = await startLoadgen(["up", "--regions", "lon,ams", "--servers-per-region", "2"], START_WAIT_MS, env);
  dashboard = await startLoadgen(["dashboard", "--store", folder, "--listen", "127.0.0.1:0", "--operate", ...tokens], START_WAIT_MS, env);
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  await dashboard?.stop();
  await up?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

for (const [role, token] of [["an operator", OPERATOR], ["a viewer", VIEWER]]) {
  describe(role, () => {
    for (const width of [360, 1440]) {
      for (const theme of ["light", "dark"]) {
        it(`has a page that fits ${width} px in the ${theme} theme, and is accessible`, async () => {
          const { page, close } = await opened(token, { width, theme });
          await fits(page);
          await accessible(page);
          await close();
        });
      }
    }
  });
}

it("kills and heals a server by the keyboard, and the focus stays", async () => {
  const { page, close } = await opened(OPERATOR);
  assert.equal(await stateOf(page, "lon-1"), "up");
  await page.getByRole("button", { name: "Kill lon-1", exact: true }).focus();
  await page.keyboard.press("Enter");
  await until("the page shows the dead server", async () => (await stateOf(page, "lon-1")) === "dead");
  assert.match(await page.locator("#now").innerText(), /^4 servers in 2 regions: lon-1 is dead/);
  await page.getByText("Kill lon-1: done.").waitFor();
  assert.ok(await page.getByRole("button", { name: "Kill lon-1", exact: true }).isDisabled(), "a dead server cannot be killed");
  assert.equal(await page.evaluate(() => document.activeElement.ariaLabel), "Kill lon-1", "a button that does nothing keeps the focus");
  await page.getByRole("button", { name: "Heal lon-1", exact: true }).focus();
  await page.keyboard.press("Enter");
  await until("the page shows the healed server", async () => (await stateOf(page, "lon-1")) === "up");
  const last = page.getByRole("table", { name: "Last orders" }).locator("tbody tr");
  await until("the last order is shown first", async () => /heal lon-1\s+✓ done/.test(await last.first().innerText()));
  await close();
});

it("silences a region, whose servers then answer no client", async () => {
  const { page, close } = await opened(OPERATOR);
  const world = await page.evaluate(async () => {
    const response = await fetch("/api/live/up");
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!/^data: .*\n/m.test(text)) text += (await reader.read()).value;
    await reader.cancel();
    return JSON.parse(/^data: (.*)\n/m.exec(text)[1]);
  });
  const address = world.regions[1].tcp_urls.find((url) => url.startsWith("lon=")).slice("lon=nats://".length);
  assert.ok(await isGreeted(address));
  await page.getByRole("button", { name: "Silence lon", exact: true }).click();
  await until("the page shows the silent region", async () => (await stateOf(page, "lon")) === "2 up, silent");
  assert.equal(await isGreeted(address), false);
  await page.getByRole("button", { name: "Heal lon", exact: true }).click();
  await until("the page shows the healed region", async () => (await stateOf(page, "lon")) === "2 up");
  await until("the servers answer", () => isGreeted(address));
  await close();
});

it("changes a distance, and injects and undoes a fault", async () => {
  const { page, close } = await opened(OPERATOR);
  await page.getByLabel("Round trip lon – ams in ms").fill("25");
  await page.getByLabel("Round trip lon – ams in ms").press("Enter");
  await until("the page shows the distance", async () => /25/.test(await page.getByRole("row", { name: /^lon – ams/ }).locator("td").first().innerText()));
  await page.getByLabel("Fault: KIND:TARGET,OPTION=VALUE").fill("latency:lon-ams,rtt_ms=80");
  await page.getByRole("button", { name: "Inject" }).click();
  const undo = page.getByRole("button", { name: /^Undo fault \d+$/ });
  await undo.waitFor();
  assert.match(await page.getByRole("row", { name: /latency:lon-ams/ }).first().innerText(), /until an operator undoes it/);
  await undo.click();
  await undo.waitFor({ state: "detached" });

  await page.getByLabel("Fault: KIND:TARGET,OPTION=VALUE").fill("meteor:lon");
  await page.getByRole("button", { name: "Inject" }).click();
  await page.getByText("`meteor:lon` is not a fault").or(page.locator("#answer.bad")).first().waitFor();
  assert.match(await page.locator("#answer").innerText(), /meteor:lon is not a fault: .*write KIND:TARGET/);
  await close({ allowed: /409/ });
});

it("takes orders on the page of a server", async () => {
  const { page, close } = await opened(OPERATOR);
  await page.getByRole("link", { name: "Hosts" }).click();
  await page.getByRole("link", { name: "ams-2" }).click();
  assert.equal(new URL(page.url()).pathname, "/servers/ams-2");
  await page.getByText("ams-2 is up.").waitFor();
  await page.getByRole("button", { name: "Pause ams-2" }).click();
  await page.getByText("ams-2 is paused.").waitFor();
  await page.getByRole("button", { name: "Heal ams-2" }).click();
  await page.getByText("ams-2 is up.").waitFor();
  await accessible(page);
  await close();
});

it("shows on the page Network what the servers measure beside what loadgen emulates", async () => {
  const { page, close } = await opened(OPERATOR);
  await page.getByLabel("Round trip lon – ams in ms").fill("40");
  await page.getByLabel("Round trip lon – ams in ms").press("Enter");
  await page.getByText("Set the round trip lon – ams: done.").waitFor();
  await page.getByRole("link", { name: "Network" }).click();
  const cell = page.getByRole("table", { name: "Distances" }).getByRole("row", { name: /^lon/ }).locator("td").first();
  // nats-server measures the round trip of a gateway anew with each PING.
  await until("the page shows the distance that loadgen emulates", async () => /\(40 ms\)/.test(await cell.innerText()));
  assert.match(await cell.innerText(), /^[\d.]+ ms \(40 ms\)$/);
  await close();
});

it("shows a viewer the same, without any order", async () => {
  const { page, close } = await opened(VIEWER);
  assert.equal(await page.locator("#live button, #live form").count(), 0);
  assert.match(await page.locator("#live .message").first().innerText(), /give no orders.*second address/);
  const status = await page.evaluate(async () => (await fetch("/api/orders", { method: "POST", body: '{"do":"kill","target":"lon"}', headers: { "content-type": "application/json" } })).status);
  assert.equal(status, 403);
  await until("the servers are up", async () => (await stateOf(page, "lon")) === "2 up");
  await close({ allowed: /403/ });
});

it("works in Firefox", async () => {
  const firefox = await ENGINES.firefox();
  try {
    const page = await firefox.open(`${originOf(dashboard.address)}/operate#token=${OPERATOR}`);
    const state = () => page.evaluate("document.querySelector('#live tbody tr:nth-child(2) td')?.textContent");
    await until("Firefox shows a server", async () => (await state()) === "up");
    await page.evaluate("document.querySelector('[aria-label=\"Pause lon-1\"]').click()");
    await until("Firefox shows the paused server", async () => (await state()) === "paused");
    await page.evaluate("document.querySelector('[aria-label=\"Heal lon-1\"]').click()");
    await until("Firefox shows the healed server", async () => (await state()) === "up");
  } finally {
    await firefox.close();
  }
});

async function opened(token, options = {}) {
  const opened = await openPage(browser, `${originOf(dashboard.address)}/#token=${token}`, "/operate", options);
  await opened.page.getByRole("row", { name: /^lon-1/ }).waitFor();
  return opened;
}

/** The state that the page shows of a server or region. */
async function stateOf(page, name) {
  return page.getByRole("rowheader", { name, exact: true }).locator("xpath=following-sibling::td[1]").innerText();
}

/** Whether a server sends its first line to a plain socket within a second: many times the distance. */
function isGreeted(address) {
  const [host, port] = address.split(":");
  return new Promise((resolve) => {
    const socket = net.connect(Number(port), host);
    const done = (is) => {
      clearTimeout(late);
      socket.destroy();
      resolve(is);
    };
    const late = setTimeout(() => done(false), 1_000);
    socket.on("data", (data) => done(data.toString().startsWith("INFO ")));
    socket.on("error", () => done(false));
  });
}
