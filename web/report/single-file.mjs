// Puts the script and the style of the report's page into the page itself. A policy forbids the page to load anything.

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** The licence of uPlot asks for its text in every copy. */
const LICENCE = join(import.meta.dirname, "../node_modules/uplot/LICENSE");

/** Returns a Vite plugin that inlines the one script and the one style sheet. */
export function singleFile() {
  return { name: "single-file", enforce: "post", async generateBundle(_, bundle) {
    const [page] = taken(bundle, ({ fileName }) => fileName.endsWith(".html"));
    const [script] = taken(bundle, ({ type }) => type === "chunk");
    const [style] = taken(bundle, ({ fileName }) => fileName.endsWith(".css"));
    const left = Object.keys(bundle);
    if (left.length > 0) throw new Error(`the report must be one file, but the build also made ${left.join(", ")}: inline or remove them`);
    const css = style.source.trim();
    const code = script.code.trim();
    for (const [text, end] of [[code, "</script"], [css, "</style"]]) {
      if (text.includes(end)) throw new Error(`\`${end}\` in the built code would end its element: write it in two parts`);
    }
    const licence = (await readFile(LICENCE, "utf8")).trim().replaceAll("--", "- -");
    const source = page.source
      .replace(/\s*<script type="module"[^>]*><\/script>/, "")
      .replace(/\s*<link rel="stylesheet"[^>]*>/, "")
      .replace("<!-- policy -->", () => `<meta http-equiv="Content-Security-Policy" content="${policy(code, css)}" />`)
      .replace("<!-- style -->", () => `<!-- The page contains uPlot.\n${licence}\n-->\n    <style>${css}</style>`)
      .replace("<!-- script -->", () => `<script type="module">${code}</script>`);
    this.emitFile({ type: "asset", fileName: "report.html", source });
  } };
}

/** Takes the matching files out of the bundle, of which there must be exactly one. */
function taken(bundle, matches) {
  const found = Object.values(bundle).filter(matches);
  if (found.length !== 1) throw new Error(`the report needs exactly one page, script and style sheet, but the build made ${JSON.stringify(found.map(({ fileName }) => fileName))}`);
  for (const { fileName } of found) delete bundle[fileName];
  return found;
}

/** Returns a policy that allows only this script and this style, even if markup should get into the page. */
function policy(code, css) {
  const hash = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
  return `default-src 'none'; script-src ${hash(code)}; style-src ${hash(css)}; img-src data:; base-uri 'none'; form-action 'none'`;
}
