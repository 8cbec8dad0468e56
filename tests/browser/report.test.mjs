// Opens the HTML report of a loadgen run as a file in real browsers. A seed makes the data of each report.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { after, before, describe, it } from "node:test";
import { launchBrowser } from "./lib/browser.mjs";
import { accessible, fits } from "./lib/checks.mjs";
import { ENGINES } from "./lib/engines.mjs";
import { empty, hostile, large, manyRegions, realistic, twoStrategies, withoutFault } from "./lib/report_data.mjs";
import { filled, TEMPLATE } from "./lib/report_page.mjs";
import { until } from "./lib/until.mjs";

const WIDTHS = [360, 1440];
const THEMES = ["light", "dark"];
/** Time limit to open a report of 10 000 clients and 600 s. */
const OPEN_MAX_MS = 3000;
const SECTIONS = ["verdict", "thresholds", "requests", "latency", "places", "strip", "collected", "failover", "distribution", "matrix", "deliveries", "stores", "ledger", "environment"];

let browser;
let folder;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "nats-geo-report-"));
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  if (folder) await rm(folder, { recursive: true, force: true });
});

for (const [name, make] of Object.entries({ realistic, twoStrategies, withoutFault, hostile, "a run without data": () => empty(true), "no run": () => empty(false) })) {
  describe(name, () => {
    for (const width of WIDTHS) {
      for (const theme of THEMES) {
        it(`fits ${width} px in the ${theme} theme, is accessible, and needs nothing`, async () => {
          const { page, close } = await opened(make(), { width, theme });
          assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), theme);
          await fits(page);
          await openDetails(page);
          await fits(page);
          await accessible(page);
          await close();
        });
      }
    }
  });
}

it("shows the sections in the order of the reader's questions, each with its heading in the contents", async () => {
  const report = realistic();
  const { page, close } = await opened(report);
  assert.equal(await page.title(), `PASS: ${report.title}`);
  assert.deepEqual(await page.locator("main section").evaluateAll((all) => all.map(({ id }) => id)), SECTIONS);
  assert.deepEqual(await page.locator("nav a").evaluateAll((all) => all.map((link) => document.querySelector(link.getAttribute("href"))?.querySelector("h2").textContent === link.textContent)), SECTIONS.map(() => true));
  assert.deepEqual(await page.locator(".sentences li").allTextContents(), report.sentences);
  assert.deepEqual(await page.locator("#thresholds tbody td:last-child").allTextContents(), ["✓ holds", "✓ holds", "? not judged"]);
  assert.match(await text(page, "#environment"), /Connections between regions pass proxies of loadgen/);
  await close();
});

it("draws every chart, with the colours of its regions, and words beside it", async () => {
  const { page, close } = await opened(realistic());
  /** Returns for each chart of a section the indices of the regions whose colour it has. */
  const drawn = (section) => page.locator(`#${section} canvas`).evaluateAll((all) => {
    const style = getComputedStyle(document.documentElement);
    const wanted = [0, 1, 2].map((index) => Number.parseInt(style.getPropertyValue(`--line-${index}`).slice(1), 16));
    return all.map((canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      const found = new Set();
      for (let at = 0; at < data.length; at += 4) if (data[at + 3] === 255) found.add(data[at] * 65536 + data[at + 1] * 256 + data[at + 2]);
      return wanted.flatMap((colour, index) => (found.has(colour) ? [index] : []));
    });
  });
  // First nats-geo, then async-nats; only clients in lon failed.
  assert.deepEqual(await drawn("requests"), [[0, 1, 2], [0, 1, 2], [0], [0]]);
  assert.deepEqual(await drawn("latency"), [[0], [0], [1], [1], [2], [2]]);
  assert.deepEqual(await drawn("places"), [[0, 1, 2], [0, 1, 2]]);
  assert.deepEqual(await drawn("strip"), [[0, 1, 2]]);
  // Lines of populations; no async-nats client failed over.
  assert.deepEqual((await drawn("distribution"))[0][0], 0);
  const parts = await page.locator("#failover .row.median rect").evaluateAll((all) => all.map((one) => [one.getAttribute("class"), one.getBoundingClientRect().width > 0]));
  assert.deepEqual(parts, [["detection", true], ["selection", true], ["reconnect", true], ["resume", true], ["limit", true]]);
  const silent = await page.locator("[role=img]").evaluateAll((all) => all.filter(({ ariaLabel }) => !ariaLabel).length);
  assert.equal(silent, 0);
  for (const id of ["requests", "latency", "places", "strip", "failover", "distribution"]) assert.ok((await page.locator(`#${id} details`).count()) > 0, id);
  await close();
});

it("tells regions apart that have the same colour", async () => {
  /** Whether dots in the colour of the paper stand in the rows, which are too low for names. */
  const hasDots = (page) => page.locator("#strip canvas").evaluate((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 60, canvas.width, canvas.height - 60);
    for (let at = 0; at < data.length; at += 4) if (data[at] === 255 && data[at + 1] === 255 && data[at + 2] === 255 && data[at + 3] === 255) return true;
    return false;
  });
  const report = manyRegions();
  for (const [made, isDotted] of [[report, true], [{ ...report, runs: report.runs.map((run) => ({ ...run, clients: run.clients.filter(({ region, states }) => report.regions.indexOf(region) < 6 && states.length === 1) })) }, false]]) {
    const { page, close } = await opened(made, { width: 360 });
    assert.equal(await hasDots(page), isDotted);
    await fits(page);
    await close();
  }
});

it("has the figures of the data in its tables", async () => {
  const report = realistic();
  const [run] = report.runs;
  const { page, close } = await opened(report);
  await openDetails(page);
  const times = run.failovers.filter(({ total_ms }) => total_ms !== null).map(({ total_ms }) => total_ms).sort((a, b) => a - b);
  const row = await page.locator("#distribution tbody tr").first().locator("th, td").allTextContents();
  assert.deepEqual(row.slice(0, 3), ["nats-geo", String(times.length), "0"]);
  assert.equal(row[4], `${Math.round(times[Math.ceil(times.length / 2) - 1])} ms`);
  assert.equal(await page.locator("#failover tbody tr").count(), run.failovers.length);
  const failed = run.series.filter(({ population }) => population === "async-nats").flatMap((series) => series.failed).reduce((sum, value) => sum + value, 0);
  assert.match(await text(page, "#requests"), new RegExp(`async-nats: [\\d,]+ answered, ${failed.toLocaleString("en-GB")} failed`));
  assert.match(await text(page, "#failover"), /async-nats: 4 clients hit; 4 did not fail over before the fault ended/);
  await close();
});

it("works with the keyboard: the cursor of all charts, the range, the tables, the theme", async () => {
  const { page, close } = await opened(realistic());
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the verdict");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");

  const slider = page.getByRole("slider", { name: "Time" });
  await slider.focus();
  await page.keyboard.press("End");
  assert.match(await slider.getAttribute("aria-valuetext"), /^90\.0 s/);
  await page.keyboard.press("Home");
  const cursor = () => page.locator("#requests .u-cursor-x").first().evaluate((line) => new DOMMatrix(line.style.transform).e);
  const start = await cursor();
  for (let nth = 0; nth < 45; nth += 1) await page.keyboard.press("ArrowRight");
  assert.match(await slider.getAttribute("aria-valuetext"), /faults, F1$/);
  assert.ok((await cursor()) > start + 50);
  assert.match(await text(page, "#strip .readout"), /is connected to ams$/);
  const readouts = await page.locator(".times .readout").allTextContents();
  const second = Math.floor(Number(await slider.inputValue()));
  assert.ok(readouts.filter((words) => words.startsWith(`${second}–${second + 1} s`)).length >= 10, readouts.join("\n"));

  await page.getByRole("combobox", { name: "Show" }).focus();
  await page.keyboard.press("ArrowDown");
  await until("the charts show the fault", async () => (await cursor()) > start);
  const zoomed = await pixels(page, "#strip canvas");
  await page.keyboard.press("Home");
  await until("the charts show the whole run", async () => (await pixels(page, "#strip canvas")) !== zoomed);

  const summary = page.locator("#requests summary").first();
  await summary.focus();
  await page.keyboard.press("Enter");
  assert.equal(await page.locator("#requests details").first().evaluate(({ open }) => open), true);
  // The browser tells of the change later than it makes it.
  await until("the table has rows", async () => (await page.locator("#requests details").first().locator("tbody tr").count()) > 0);
  await page.getByRole("button", { name: "Dark" }).focus();
  const light = await pixels(page, "#requests canvas");
  await page.keyboard.press("Space");
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  await until("the charts have the dark colours", async () => (await pixels(page, "#requests canvas")) !== light);
  await page.reload();
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark", "the choice is kept");
  await close();
});

it("shows with the pointer what was there, in all charts at once, and zooms by dragging", async () => {
  const { page, close } = await opened(realistic());
  const chart = page.locator("#requests .u-over").first();
  await chart.scrollIntoViewIfNeeded();
  const { x, y, width, height } = await chart.boundingBox();
  await page.mouse.move(x + (width * 40) / 90, y + height / 2);
  const output = page.locator("output");
  await until("the cursor is at 40 s", async () => /^(39\.[5-9]|40\.[0-5]) s, faults, F1$/.test(await output.innerText()));
  await page.mouse.move(x, y + height + 300);
  assert.match(await output.innerText(), /^(39|40)\./, "the cursor stays where it was");
  const whole = await pixels(page, "#strip canvas");
  await page.mouse.move(x + width / 3, y + height / 2);
  await page.mouse.down();
  await page.mouse.move(x + width / 2, y + height / 2, { steps: 4 });
  await page.mouse.up();
  await until("all charts show the dragged part", async () => (await pixels(page, "#strip canvas")) !== whole);
  const shown = () => page.locator("#range").evaluate((select) => select.selectedOptions[0].textContent);
  assert.equal(await shown(), "Selected part");
  await chart.dblclick({ position: { x: (width * 40) / 90, y: 10 } });
  assert.equal(await shown(), "Whole run");
  const box = await page.locator("#strip canvas").boundingBox();
  await page.locator("#strip canvas").hover({ position: { x: box.width / 2, y: 80 } });
  await until("the row below the pointer is named", async () => /nats-geo client [2-8] in lon is connected to/.test(await text(page, "#strip .readout")));
  await close();
});

it("shows names as text, whatever they hold", async () => {
  const report = hostile();
  const { page, close } = await opened(report);
  await openDetails(page);
  assert.equal(await page.title(), `FAIL: ${report.title}`);
  assert.equal(await text(page, "h1"), report.title);
  assert.equal(await page.locator("main img, main script, main i, main b, main [onload], main [onerror]").count(), 0);
  const shown = await page.locator("main").textContent();
  for (const name of [...report.regions, ...report.runs[0].series.map(({ population }) => population), ...report.sentences]) assert.ok(shown.includes(name), name);
  assert.deepEqual(await page.locator(".toolbar .key li").allTextContents(), report.regions);
  assert.deepEqual(await page.locator("#run option").allTextContents(), ["<i>one</i>, repetition 1", "toString, repetition 1"]);
  await close();
});

it("compares strategies, and draws the chosen run", async () => {
  const report = twoStrategies();
  const { page, close } = await opened(report);
  assert.deepEqual(await page.locator("#comparison tbody th").allTextContents(), ["interactive", "frugal"]);
  const failed = (strategy) => report.runs.filter((run) => run.strategy === strategy).flatMap(({ series }) => series.flatMap((one) => one.failed)).reduce((sum, value) => sum + value, 0).toLocaleString("en-GB");
  assert.deepEqual(await page.locator("#comparison tbody td:nth-child(8)").allTextContents(), [failed("interactive"), failed("frugal")]);
  assert.deepEqual(await page.locator("#distribution .key li").allTextContents(), ["nats-geo, interactive, 32 failovers", "nats-geo, frugal, 32 failovers", "in the same colour: the limit, round trips that no client can save"]);

  const before = await text(page, "#failover figcaption");
  const charts = await page.locator("canvas").count();
  await page.getByRole("combobox", { name: "Run" }).focus();
  await page.keyboard.press("End");
  await until("the other run is shown", async () => (await text(page, "#failover figcaption")) !== before);
  assert.equal(await page.evaluate(() => document.activeElement.id), "run", "the keyboard stays where it was");
  assert.equal(await page.locator("canvas").count(), charts, "the charts of the first run are gone");

  const first = await text(page, "#failover figcaption");
  await page.getByRole("combobox", { name: "Fault of the bars" }).selectOption({ label: "F2 kill ams" });
  assert.notEqual(await text(page, "#failover figcaption"), first);
  await page.getByRole("combobox", { name: "Phase" }).selectOption("1");
  assert.equal(await page.locator("#matrix .cell").count(), 9);
  await close();
});

it("says what is missing in runs in which nothing happened", async () => {
  const { page, close } = await opened(withoutFault());
  assert.match(await text(page, "#verdict"), /This run had no fault\./);
  assert.match(await text(page, "#thresholds"), /The scenario sets no threshold\./);
  assert.match(await text(page, "#failover"), /No fault of this run hit a client\./);
  assert.match(await text(page, "#distribution"), /No fault hit a client\./);
  assert.equal(await page.locator("#comparison").count(), 0);
  await close();
});

it("opens a run of 10 000 clients and 600 s in time, and says that it shows a sample", async () => {
  const { page, close, openMs } = await opened(large());
  console.log(`# opened in ${Math.round(openMs)} ms`);
  assert.ok(openMs < OPEN_MAX_MS, `${openMs} ms`);
  assert.match(await text(page, "#strip"), /The run had 10,000 clients\. 240 of them are drawn/);
  assert.match(await text(page, "#failover"), /40 of 1,600 clients are drawn, evenly sampled by rank\./);
  await openDetails(page);
  assert.match(await text(page, "#failover details"), /400 of 12,000 failovers are listed/);
  await fits(page);
  await close();
});

for (const [name, launch] of Object.entries(ENGINES)) {
  it(`draws in ${name}`, { timeout: 120_000 }, async () => {
    const report = realistic();
    const engine = await launch();
    try {
      const page = await engine.open(await written(await filled(report)));
      const state = () => page.evaluate(() => ({
        title: document.querySelector("h1").textContent,
        sections: [...document.querySelectorAll("main section")].map(({ id }) => id),
        blank: [...document.querySelectorAll("canvas")].filter((canvas) => new Set(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data).size < 5).length,
        charts: document.querySelectorAll("canvas").length,
        message: document.querySelector(".message")?.textContent ?? null,
      }));
      await until("the charts are drawn", async () => { const { charts, blank } = await state(); return charts > 0 && blank === 0; });
      assert.deepEqual(await state(), { title: report.title, sections: SECTIONS, blank: 0, charts: 16, message: null });
      await page.close();
    } finally {
      await engine.close();
    }
  });
}

it("prints in light colours and within the paper, whatever the theme", async () => {
  const { page, close } = await opened(realistic(), { theme: "dark" });
  const dark = await pixels(page, "#requests canvas");
  await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
  await until("the charts are as wide as paper", () => page.evaluate(() => [...document.querySelectorAll("canvas")].every((canvas) => canvas.getBoundingClientRect().width < 680)));
  await until("the charts are light", async () => (await pixels(page, "#requests canvas")) !== dark);
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "light");
  await page.evaluate(() => dispatchEvent(new Event("afterprint")));
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  await until("the charts are wide again", () => page.evaluate(() => document.querySelector("#strip canvas").getBoundingClientRect().width > 1000));
  const pdf = await page.pdf({ format: "A4" });
  assert.equal(pdf.subarray(0, 5).toString(), "%PDF-");
  await close();
});

it("moves nothing by itself where the reader wants no motion", async () => {
  const moving = async (reducedMotion) => {
    const { page, close } = await opened(realistic(), { reducedMotion });
    const found = await page.evaluate(() => [getComputedStyle(document.documentElement).scrollBehavior, document.getAnimations().length]);
    await close();
    return found;
  };
  assert.deepEqual(await moving("reduce"), ["auto", 0]);
  assert.deepEqual(await moving("no-preference"), ["smooth", 0]);
});

it("says in plain words that it has no data, or data that it cannot read", async () => {
  const template = await openedFile(TEMPLATE);
  assert.match(await text(template.page, "main"), /This page has no data\. It is the empty template inside loadgen/);
  assert.equal(await template.page.title(), "loadgen report");
  await accessible(template.page);
  await template.close();
  for (const [data, words] of [
    [{ ...realistic(), version: 2 }, /reads reports of version 3, but its data has version 2/],
    [{ title: "" }, /its data has version undefined/],
  ]) {
    const { page, close } = await opened(data);
    assert.match(await text(page, "main"), words);
    await close();
  }
  const cut = (await filled(realistic())).replace(/"verdict":"PASS".*?<\/script>/s, "</script>");
  const { page, close } = await openedText(cut);
  assert.match(await text(page, "main"), /not valid JSON .*copy it again/);
  await close();
});

it("lets no script and no request out of a file that was tampered with", async () => {
  let hits = 0;
  const server = createServer((_, response) => {
    hits += 1;
    response.setHeader("access-control-allow-origin", "*").end();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = `http://127.0.0.1:${server.address().port}`;
  const tampered = (await filled(realistic())).replace("</main>", () => `<script>document.body.dataset.owned = ""</script><img src="${address}/x.png"></main>`);
  const outcome = async (text) => {
    const page = await (await browser.newContext()).newPage();
    await page.goto(await written(text));
    const fetched = await page.evaluate((address) => fetch(address).then(() => true, () => false), address);
    const owned = await page.evaluate(() => "owned" in document.body.dataset);
    await page.context().close();
    return { fetched, owned };
  };
  assert.deepEqual(await outcome(tampered), { fetched: false, owned: false });
  assert.equal(hits, 0);
  const unguarded = tampered.replace(/<meta http-equiv="Content-Security-Policy"[^>]*>/, "");
  assert.deepEqual(await outcome(unguarded), { fetched: true, owned: true }, "without the policy both happen, so this test can fail");
  assert.ok(hits >= 2);
  server.close();
});

async function opened(report, options = {}) {
  return openedText(await filled(report), options);
}

async function openedText(text, options = {}) {
  return openedFile(await written(text), options);
}

/** Opens a file; `close` checks that it wrote no error and requested nothing. */
async function openedFile(file, { width = 1440, theme = "light", reducedMotion } = {}) {
  const url = file.startsWith("file:") ? file : pathToFileURL(file).href;
  const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme: theme, reducedMotion });
  const page = await context.newPage();
  const errors = [];
  const requests = [];
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("request", (request) => requests.push(request.url()));
  const startMs = performance.now();
  await page.goto(url);
  // After two frames the drawing is on the screen.
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
  const openMs = performance.now() - startMs;
  const close = async () => {
    await context.close();
    assert.deepEqual(errors, []);
    assert.deepEqual([...new Set(requests)].filter((one) => one !== url && !one.startsWith("data:")), []);
  };
  return { page, close, openMs };
}

let files = 0;

async function written(text) {
  files += 1;
  const file = join(folder, `${files}.html`);
  await writeFile(file, text);
  return pathToFileURL(file).href;
}

async function openDetails(page) {
  await page.evaluate(() => document.querySelectorAll("details").forEach((one) => (one.open = true)));
  await until("the tables are there", () => page.evaluate(() => [...document.querySelectorAll("details")].every(({ childElementCount }) => childElementCount > 1)));
}

function pixels(page, selector) {
  return page.locator(selector).first().evaluate((canvas) => canvas.toDataURL());
}

function text(page, selector) {
  return page.locator(selector).first().innerText();
}
