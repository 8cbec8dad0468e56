// What every page of loadgen must keep: it fits the window, and is accessible.

import assert from "node:assert/strict";
import axe from "axe-core";

/** Checks that nothing sticks out of the window, except in boxes that scroll. */
export async function fits(page) {
  const [wide, inner] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wide <= inner, `the page is ${wide} px wide in a window of ${inner} px`);
  const out = await page.evaluate(() => [...document.querySelectorAll("h1, h2, h3, p, li, button, select, input, canvas, figure, section, iframe, nav a")].filter((element) => !element.closest(".scroll, .hidden, .skip, .key") && element.getBoundingClientRect().right > innerWidth + 0.5).map((element) => element.outerHTML.slice(0, 80)));
  assert.deepEqual(out, []);
}

/** Checks the page with axe. */
export async function accessible(page) {
  // The page's policy refuses a script element, so the script is evaluated.
  await page.evaluate(axe.source);
  const violations = await page.evaluate(async () => (await globalThis.axe.run()).violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ target, failureSummary }) => `${target} ${failureSummary}`).join("; ")}`));
  assert.deepEqual(violations, []);
}
