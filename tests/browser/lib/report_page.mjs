// Fills loadgen's report page with data, as loadgen does.
// `node lib/report_page.mjs realistic FILE` writes a page to look at.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as reports from "./report_data.mjs";

export const TEMPLATE = join(import.meta.dirname, "../../../loadgen/assets/report.html");

/** Returns the page with the report in it. */
export async function filled(report) {
  const template = await readFile(TEMPLATE, "utf8");
  const title = String(report.title).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const data = JSON.stringify(report).replaceAll("<", "\\u003c");
  return template.replace("__RUN_TITLE__", () => title).replace("__RUN_DATA__", () => data);
}

if (process.argv[1] === import.meta.filename) {
  const [name, file] = process.argv.slice(2);
  const make = reports[name];
  if (!make || !file) throw new Error(`give one of ${Object.keys(reports).join(", ")} and the file to write, as in \`node lib/report_page.mjs realistic report.html\``);
  await writeFile(file, await filled(make()));
}
