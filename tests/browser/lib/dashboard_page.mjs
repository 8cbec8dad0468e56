// Opens pages of loadgen's dashboard at the address that `loadgen dashboard` printed.

import assert from "node:assert/strict";

/** Opens a page of the dashboard; `close` checks that it wrote no error and loaded nothing from elsewhere. */
export async function openPage(browser, address, path, { width = 1440, theme = "light", withToken = true } = {}) {
  const [origin, token] = [originOf(address), tokenOf(address)];
  const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme: theme });
  const page = await context.newPage();
  const errors = [];
  const requests = [];
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("request", (request) => requests.push(request));
  await page.goto(`${origin}${path}${withToken ? `#token=${token}` : ""}`);
  const close = async ({ allowed = /^$/ } = {}) => {
    await context.close();
    assert.deepEqual(errors.filter((error) => !allowed.test(error)), []);
    const urls = requests.map((request) => request.url()).filter((url) => !url.startsWith("data:"));
    assert.deepEqual(urls.filter((url) => new URL(url).origin !== origin), []);
    assert.deepEqual(urls.filter((url) => new URL(url).search.includes(token)), [], "the token is in no query");
    assert.deepEqual(requests.map((request) => request.headers().referer ?? "").filter((referrer) => referrer !== ""), [], "no request has a referrer");
  };
  return { page, context, close };
}

export function originOf(address) {
  return new URL(address).origin;
}

export function tokenOf(address) {
  return new URL(address).hash.slice("#token=".length);
}

/** The text of the first element. */
export function text(page, selector) {
  return page.locator(selector).first().innerText();
}

/** The box of a figure in the top line. */
export function tile(page, name) {
  return page.locator(".tile", { has: page.getByRole("term").filter({ hasText: new RegExp(`${name}$`) }) });
}
