// loadgen's dashboard, as an operator uses it: `loadgen dashboard` on a store and on a real super-cluster, in real browsers.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { launchBrowser } from "./lib/browser.mjs";
import { accessible, fits } from "./lib/checks.mjs";
import { REGIONS, startCluster } from "./lib/cluster.mjs";
import { openPage, originOf, text, tile as tileOf, tokenOf } from "./lib/dashboard_page.mjs";
import { ENGINES } from "./lib/engines.mjs";
import { startLoadgen } from "./lib/loadgen.mjs";
import { hostile, realistic, twoStrategies, withoutFault } from "./lib/report_data.mjs";
import { keepRun, listRun, nameOf } from "./lib/store.mjs";
import { until } from "./lib/until.mjs";

const WIDTHS = [360, 1440];
const THEMES = ["light", "dark"];
/** Cargo may have to build loadgen first. */
const START_WAIT_MS = 600_000;
const ACCOUNTS = `
  accounts { SYS { users: [{ user: system, password: hunter2 }] }, APP { jetstream: enabled, users: [{ user: app, password: hunter3 }] } }
  system_account: SYS
  no_auth_user: app
`;
/** Runs that are only in the list: more than it shows at once. */
const LISTED = 150;

let browser;
let cluster;
let dashboard;
let embedding;
let folder;
const runs = {};

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "nats-geo-dashboard-"));
  const at = (minute) => new Date(Date.UTC(2026, 10, 29, 12, minute));
  runs.old = await keepRun(folder, realistic(42), at(1), "0000000a");
  runs.new = await keepRun(folder, { ...realistic(7), verdict: "FAIL", reasons: ["Failover p90 is above its threshold."] }, at(2), "0000000b");
  runs.strategies = await keepRun(folder, { ...twoStrategies(), scenario: "strategies" }, at(3), "0000000c");
  runs.hostile = await keepRun(folder, { ...hostile(), scenario: "hostile" }, at(4), "0000000d");
  runs.calm = await keepRun(folder, withoutFault(), at(5), "0000000e");
  await listRun(folder, { run: nameOf(at(6), "0000000f"), state: "UNFINISHED", duration_ms: 0, bytes: 0, scenario: "soak" });
  for (let nth = 0; nth < LISTED; nth += 1) await listRun(folder, { run: nameOf(new Date(Date.UTC(2025, 0, 1, 0, nth)), "00000001"), state: nth % 3 === 0 ? "INCONCLUSIVE" : "PASS", duration_ms: 48_213, bytes: 1_258_291, scenario: "region-outage" });
  cluster = await startCluster({ extra: ACCOUNTS });
  await createStreams();
  embedding = await startEmbedding();
  const server = `nats://127.0.0.1:${cluster.servers[0].client}`;
  const args = ["dashboard", "--store", folder, "--listen", "127.0.0.1:0", "--every", "1", "--server", server, "--user", "system", "--embed-in", embedding.origin];
  dashboard = await startLoadgen(args, START_WAIT_MS, { NATS_PASSWORD: "hunter2", LOADGEN_OPS: undefined });
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  await dashboard?.stop();
  embedding?.stop();
  await cluster?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

const PAGES = {
  history: { path: () => "/runs", ready: "#list tbody tr" },
  "a run": { path: () => `/runs/${runs.old}`, ready: "#report iframe" },
  "a run with hostile names": { path: () => `/runs/${runs.hostile}`, ready: "#report iframe" },
  "a comparison": { path: () => `/compare/${runs.old}/${runs.new}`, ready: "#distribution canvas" },
  live: { path: () => "/live", ready: "#live .tile .value:not(:empty)" },
  network: { path: () => "/network", ready: "#live .tile .value:not(:empty)" },
  hosts: { path: () => "/hosts", ready: "#live tbody a" },
  jetstream: { path: () => "/jetstream", ready: "#live .tile .value:not(:empty)" },
  "a server": { path: () => "/servers/lon-1", ready: "#live .tile .value:not(:empty)" },
  "the frame": { path: () => "/frame/nats", ready: "#live .tile .value:not(:empty)" },
  "agents without a back channel": { path: () => "/agents", ready: "#trouble [role=alert]" },
};

for (const [name, { path, ready }] of Object.entries(PAGES)) {
  describe(name, () => {
    for (const width of WIDTHS) {
      for (const theme of THEMES) {
        it(`fits ${width} px in the ${theme} theme, and is accessible`, async () => {
          const { page, close } = await opened(path(), { width, theme });
          await page.locator(ready).first().waitFor();
          assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), theme);
          await fits(page);
          await page.evaluate(() => document.querySelectorAll("details").forEach((one) => (one.open = true)));
          await fits(page);
          await accessible(page);
          await close();
        });
      }
    }
  });
}

it("takes the token out of the address, and keeps the reader logged in", async () => {
  const { page, context, close } = await opened("/runs");
  await page.locator("#list tbody tr").first().waitFor();
  assert.equal(new URL(page.url()).hash, "");
  assert.equal(await page.evaluate(() => document.cookie), "", "no script sees the cookie");
  await page.reload();
  await page.locator("#list tbody tr").first().waitFor();
  const [cookie] = await context.cookies();
  assert.deepEqual([cookie.httpOnly, cookie.sameSite, cookie.expires], [true, "Strict", -1]);
  assert.ok(!cookie.value.includes(token()));
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByLabel("Token").waitFor();
  assert.deepEqual(await context.cookies(), []);
  await close({ allowed: /401/ });
});

it("asks for the token, says when it is wrong, and then shows the page of the address", async () => {
  const { page, close } = await opened(`/runs/${runs.old}`, { withToken: false });
  await accessible(page);
  await page.getByLabel("Token").fill("0".repeat(32));
  await page.keyboard.press("Enter");
  await until("the refusal is shown", async () => (await text(page, "#login [role=alert]")).includes("log in with the token of --token-file"));
  await page.getByLabel("Token").fill(token());
  await page.keyboard.press("Enter");
  await page.locator("#report iframe").waitFor();
  assert.equal(await text(page, "h1"), realistic().title);
  await close({ allowed: /401/ });
});

it("lists the newest runs first, and older ones on demand", async () => {
  const { page, close } = await opened("/runs");
  const rows = page.locator("#list tbody tr");
  await rows.first().waitFor();
  assert.equal(await rows.count(), 100);
  assert.match(await rows.first().innerText(), /2026-11-29 12:06:00.*UNFINISHED/s);
  assert.equal(await rows.first().locator("a").count(), 0, "a run that is not whole cannot be opened");
  assert.equal(await text(page, "#number"), `${LISTED + 6} runs`);
  await page.getByRole("button", { name: "Show older runs" }).click();
  await until("all runs are there", async () => (await rows.count()) === LISTED + 6);
  assert.equal(await page.evaluate(() => document.activeElement.closest("tr").rowIndex), 101, "the focus is at the first new run");
  assert.equal(await page.getByRole("button", { name: "Show older runs" }).count(), 0);
  await close();
});

it("filters by text, scenario and verdict, and the address holds the filter", async () => {
  const { page, close } = await opened("/runs");
  const rows = page.locator("#list tbody tr");
  await rows.first().waitFor();
  await page.getByLabel("Verdict").selectOption("FAIL");
  await until("only failures are listed", async () => (await text(page, "#number")) === `3 runs of ${LISTED + 6}`);
  await page.getByLabel("Scenario").selectOption("strategies");
  await until("one is listed", async () => (await rows.count()) === 1);
  assert.equal(new URL(page.url()).search, "?scenario=strategies&verdict=FAIL");
  await page.reload();
  await until("the filter is still there", async () => (await rows.count()) === 1);
  assert.deepEqual(await page.locator("#filter select").evaluateAll((all) => all.map(({ value }) => value)), ["strategies", "FAIL"]);
  await page.getByLabel("Find").fill("no such run");
  await until("nothing is listed", async () => (await text(page, "#list")).includes("No run matches"));
  assert.match(await text(page, "#status"), /^0 runs of/);
  await close();
});

it("opens a run with its verdict, sentences, thresholds, files and the whole report", async () => {
  const { page, close } = await opened("/runs");
  await page.getByRole("link", { name: "2026-11-29 12:02:00" }).click();
  await page.locator("#report iframe").waitFor();
  assert.equal(new URL(page.url()).pathname, `/runs/${runs.new}`);
  assert.equal(await page.evaluate(() => document.activeElement.id), "title");
  const report = realistic(7);
  assert.match(await text(page, "#verdict"), /FAIL.*At least one threshold is broken/s);
  assert.deepEqual(await page.locator("#verdict .sentences li").allTextContents(), report.sentences);
  assert.equal(await page.locator("#thresholds tbody tr").count(), 3);
  assert.match(await text(page, "#facts"), /bench-1, linux x86_64/);
  await page.locator("#files summary").click();
  const json = page.getByRole("link", { name: "report.json" });
  assert.equal(await json.getAttribute("href"), `/api/runs/${runs.new}/files/report.json`);
  await page.locator("#report").scrollIntoViewIfNeeded();
  const frame = page.frameLocator("#report iframe");
  await until("the report has drawn its charts", async () => (await frame.locator("canvas").count()) > 5);
  assert.equal(await frame.locator("h1").innerText(), report.title);
  await page.goBack();
  await page.locator("#list tbody tr").first().waitFor();
  assert.equal(new URL(page.url()).pathname, "/runs");
  await close();
});

it("lets a report reach nothing of the dashboard", async () => {
  const { page, close } = await opened(`/runs/${runs.old}`);
  await page.locator("#report iframe").scrollIntoViewIfNeeded();
  const frame = await until("the report is loaded", () => page.frames().find((one) => one.url().includes("/files/report.html")));
  await frame.waitForLoadState();
  const reached = await frame.evaluate(async () => ({ origin, cookie: await Promise.resolve().then(() => document.cookie).catch(() => "refused"), parent: await Promise.resolve().then(() => parent.document.title).catch(() => "refused"), api: await fetch("/api/runs").then(({ status }) => status, () => "refused") }));
  assert.deepEqual(reached, { origin: "null", cookie: "refused", parent: "refused", api: "refused" });
  await close({ allowed: /Content Security Policy|Failed to load resource|Fetch API/ });
});

it("compares two runs by their figures", async () => {
  const { page, close } = await opened("/runs");
  const compare = page.locator("#compare");
  await page.getByLabel("Compare the run of 2026-11-29 12:02:00").check();
  assert.equal(await compare.isDisabled(), true);
  await page.getByLabel("Compare the run of 2026-11-29 12:01:00").check();
  await compare.click();
  await page.locator("#distribution canvas").waitFor();
  assert.equal(new URL(page.url()).pathname, `/compare/${runs.old}/${runs.new}`, "the older run is on the left");
  const cells = (caption, row) => page.getByRole("table", { name: caption }).locator("tbody tr", { hasText: row }).locator("td").allTextContents();
  assert.deepEqual((await cells("Facts of both runs", "Verdict")).map((cell) => cell.slice(2)), ["PASS", "FAIL"]);
  const median = (report) => report.runs[0].failovers.map(({ total_ms }) => total_ms).filter((total) => total !== null).sort((a, b) => a - b).at(Math.ceil(8 / 2) - 1);
  const [a, b] = [median(realistic(42)), median(realistic(7))];
  const figures = await cells("Figures of both runs", "nats-geo, interactive: median failover");
  assert.deepEqual(figures.slice(0, 2), [`${Math.round(a)} ms`, `${Math.round(b)} ms`]);
  assert.match(figures[2], b > a ? /^\+\d+/ : /^−\d+/);
  assert.equal((await page.getByText("did not play the same scenario").count()), 0);
  await page.goto(`${origin()}/compare/${runs.old}/${runs.strategies}`);
  await page.getByText("did not play the same scenario").waitFor();
  await close();
});

it("follows the super-cluster: a server that dies is missed, and its return is seen", { timeout: 240_000 }, async () => {
  const { page, close } = await opened("/live");
  const tile = (name) => tileOf(page, name);
  await until("all servers are seen", async () => (await tile("Servers").locator(".value").innerText()) === String(cluster.servers.length), 60_000);
  assert.match(await tile("Servers").innerText(), new RegExp(`in ${REGIONS.length} clusters`));
  assert.match(await tile("Gateways").innerText(), /3\s+all complete/);
  assert.match(await tile("meta leader").innerText(), /(lon|ams|dal)-\d\s+7 servers agree/);
  assert.match(await tile("Streams").innerText(), /2\s+largest lag 0/);
  const row = async (caption, name) => (await page.getByRole("table", { name: caption, exact: true }).locator("tbody tr", { has: page.getByRole("rowheader", { name, exact: true }) }).locator("td").allTextContents());
  assert.deepEqual((await row("Streams", "orders")).slice(0, 3), ["APP", "none", "3"]);
  assert.deepEqual((await row("Mirrors and sources", "copy")).slice(0, 4), ["APP", "mirror", "orders", "0"]);
  assert.equal((await row("Servers", "dal-3"))[0], "dal");
  assert.equal(await page.locator("#drawing").evaluate((image) => image.complete && image.naturalWidth > 100), true, "the drawing is drawn");
  await until("the chart is drawn", async () => (await page.locator("#live canvas").count()) === 1);
  // The reader's place stays while figures change.
  await page.getByRole("region", { name: "Servers (table)" }).focus();
  const seen = await text(page, "#now");

  const victim = cluster.servers.find(({ name }) => name === "dal-3");
  await cluster.kill(victim);
  await until("the dead server is missed", async () => !(await page.getByRole("table", { name: "Servers", exact: true }).innerText()).includes("dal-3"), 60_000);
  await until("the meta leader misses it", async () => /dal-3 (is offline|lags by|silent for)/.test(await tile("meta leader").innerText()), 60_000);
  assert.notEqual(await text(page, "#now"), seen);
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), "Servers (table)");
  await accessible(page);
  await cluster.start(victim);
  await until("it is back", async () => /7 servers agree/.test(await tile("meta leader").innerText()), 120_000);
  await close();
});

it("is a frame of another page, if the operator allowed that origin", async () => {
  const page = await (await browser.newContext()).newPage();
  const frame = page.frameLocator("iframe");
  await page.goto(`${embedding.origin}/?${encodeURIComponent(`${origin()}/frame/nats#token=${token()}`)}`);
  await frame.locator("#live .tile .value:not(:empty)").first().waitFor();
  assert.equal(await frame.getByRole("link", { name: "History" }).count(), 0);
  // Other pages of the dashboard, and other origins, are refused.
  const decides = async (from, path, isRefused) => {
    await page.goto(`${from}/?${encodeURIComponent(`${origin()}${path}#token=${token()}`)}`);
    // The address of the frame is that of the page until the browser has decided.
    const decided = () => page.frames().length === 2 && page.frames()[1].url() !== "about:blank" && page.frames()[1].url().startsWith("chrome-error:") === isRefused;
    await until(`the browser ${isRefused ? "refuses" : "shows"} ${path} in ${from}`, decided);
  };
  await decides(embedding.origin, "/runs", true);
  await decides(embedding.other, "/frame/nats", true);
  for (const layer of ["nats", "network", "hosts", "jetstream", "agents"]) await decides(embedding.origin, `/frame/${layer}`, false);
  // A frame has no way to other pages.
  await page.goto(`${embedding.origin}/?${encodeURIComponent(`${origin()}/frame/hosts#token=${token()}`)}`);
  await frame.getByRole("rowheader", { name: "lon-1" }).waitFor();
  assert.equal(await frame.locator("#live a").count(), 0);
  await page.context().close();
});

it("works with the keyboard alone", async () => {
  const { page, close } = await opened("/runs");
  await page.locator("#list tbody tr").first().waitFor();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  const focused = async (what, limit = 20) => {
    for (let nth = 0; nth < limit; nth += 1) {
      await page.keyboard.press("Tab");
      if (await page.evaluate((what) => (document.activeElement.ariaLabel ?? document.activeElement.textContent).includes(what), what)) return;
    }
    throw new Error(`no Tab leads to ${what}`);
  };
  await focused("Compare the run of 2026-11-29 12:05:00");
  await page.keyboard.press("Space");
  assert.match(await text(page, "#status"), /1 run chosen/);
  await focused("2026-11-29 12:01:00", 20);
  await page.keyboard.press("Enter");
  await page.locator("#report iframe").waitFor();
  await page.getByRole("button", { name: "Dark" }).focus();
  await page.keyboard.press("Space");
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  await page.getByRole("link", { name: "Live" }).focus();
  await page.keyboard.press("Enter");
  await page.locator("#live .tile .value:not(:empty)").first().waitFor();
  assert.equal(await page.locator("#pages [aria-current]").innerText(), "Live");
  await close();
});

it("shows names as text, whatever they hold", async () => {
  const { page, close } = await opened(`/runs/${runs.hostile}`);
  await page.locator("#report iframe").waitFor();
  assert.equal(await text(page, "h1"), hostile().title);
  assert.equal(await page.locator("main img, main script, main i, main b, main [onload], main [onerror]").count(), 0);
  assert.ok((await page.title()).startsWith("</script>"));
  await close();
});

it("says in plain words what is missing", async () => {
  for (const [path, words] of [
    ["/runs/20200101T000000Z-00000000", /no run of the store .* is named/],
    [`/compare/${runs.old}/nothing`, /no run of the store .* is named/],
    ["/agents", /start the dashboard with loadgen dashboard --ops URL/],
  ]) {
    const { page, close } = await opened(path);
    await until("the reason is shown", async () => words.test(await text(page, "#view [role=alert]")));
    await accessible(page);
    await close({ allowed: /404/ });
  }
});

for (const [name, launch] of Object.entries(ENGINES)) {
  it(`lists, opens, compares and follows in ${name}`, { timeout: 180_000 }, async () => {
    const engine = await launch();
    try {
      const page = await engine.open(`${origin()}/runs#token=${token()}`);
      const there = (selector) => until(`${selector} is there in ${name}`, () => page.evaluate((selector) => document.querySelector(selector) !== null, selector), 60_000);
      const goTo = (path) => page.evaluate((path) => {
        const link = document.querySelector("#brand");
        link.setAttribute("href", path);
        link.click();
      }, path);
      await there("#list tbody tr");
      // WebKit's driver runs the body of a function, not a script.
      if (name !== "webkit") await accessible(page);
      for (const path of [`/runs/${runs.old}`, `/compare/${runs.old}/${runs.new}`, "/live"]) {
        await goTo(path);
        await there({ "/live": "#live .tile .value:not(:empty)", [`/runs/${runs.old}`]: "#report iframe" }[path] ?? "#distribution canvas");
        if (name !== "webkit") await accessible(page);
        assert.equal(await page.evaluate(() => document.querySelector("#view [role=alert]")?.textContent ?? ""), "");
      }
      await page.close();
    } finally {
      await engine.close();
    }
  });
}

function opened(path, options) {
  return openPage(browser, dashboard.address, path, options);
}

function origin() {
  return originOf(dashboard.address);
}

function token() {
  return tokenOf(dashboard.address);
}

async function createStreams() {
  const connection = await connect({ servers: `127.0.0.1:${cluster.servers[0].client}`, user: "app", pass: "hunter3" });
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name: "orders", subjects: ["orders.>"] });
  await manager.streams.add({ name: "copy", mirror: { name: "orders" } });
  for (let nth = 0; nth < 3; nth += 1) await jetstream(connection).publish(`orders.${nth}`, "1");
  await connection.close();
}

/** A web server of another site, at two origins: its page embeds the address of its query. */
async function startEmbedding() {
  const server = http.createServer((request, response) => {
    const address = decodeURIComponent(new URL(request.url, "http://localhost").search.slice(1));
    response.setHeader("content-type", "text/html").end(`<!doctype html><title>Embedding</title><iframe src="${address}" width="900" height="900"></iframe>`);
  });
  await new Promise((resolve, reject) => server.listen(0, "127.0.0.1", resolve).on("error", reject));
  const { port } = server.address();
  return {
    // Not of the same site as 127.0.0.1: no cookie goes along.
    origin: `http://grafana.localhost:${port}`,
    other: `http://other.localhost:${port}`,
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
