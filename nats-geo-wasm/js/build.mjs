// Builds dist/ from src/ and the generated engine, prints what a browser downloads, and fails when it is too much.

import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { build } from "esbuild";

const root = import.meta.dirname;
const dist = join(root, "dist");
const generated = join(root, "generated");

/** The goal: nats-core alone is 35 kB; with what this package holds it is 62 kB. */
const TOTAL_TARGET_BYTES = 45_000;
/** Not the goal but what is reached, with little room: it may shrink and not grow. Most of it is the engine's code. */
const TOTAL_LIMIT_BYTES = 122_500;
/** As above, when the engine was built with a toolchain that cannot leave the texts of panics out; see ../build. */
const PLAIN_TOTAL_LIMIT_BYTES = 134_500;
const WORKER_JS_TARGET_BYTES = 12_000;

await main();

async function main() {
  const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  const engine = await findEngine();
  await rm(dist, { recursive: true, force: true });
  await mkdir(dist, { recursive: true });
  const wasm = await readFile(engine.wasm);
  const wasmFile = `nats_geo-${createHash("sha256").update(wasm).digest("hex").slice(0, 10)}.wasm`;
  await writeFile(join(dist, wasmFile), wasm);
  // What a page may load both of shares its classes; a worker is a realm of its own, and one file is the smallest.
  const page = await bundle(engine.glue, { entryPoints: ["index", "core"].map(source), format: "esm", splitting: true, chunkNames: "chunk-[hash]" }, wasmFile, version, false);
  await bundle(engine.glue, { entryPoints: [source("sw")], format: "esm" }, wasmFile, version, false);
  const classic = await bundle(engine.glue, { entryPoints: [source("sw")], format: "esm", write: false }, wasmFile, version, true);
  await writeFile(join(dist, "sw-classic.js"), toClassic(classic.outputFiles[0].text));
  await copyFile(join(root, "../../LICENSE"), join(root, "LICENSE"));
  await report(page.metafile, wasmFile, engine.isSmall ? TOTAL_LIMIT_BYTES : PLAIN_TOTAL_LIMIT_BYTES);
}

function source(name) {
  return join(root, "src", `${name}.ts`);
}

/** The engine as nats-geo-wasm's build script leaves it: one .wasm, and the glue of wasm-bindgen's target no-modules. */
async function findEngine() {
  const read = (name) => readFile(join(generated, name), "utf8");
  try {
    return { wasm: join(generated, "nats_geo_bg.wasm"), glue: await read("nats_geo.js"), isSmall: JSON.parse(await read("build.json")).small };
  } catch (cause) {
    throw new Error("there is no engine in generated/: build it first, with `make wasm` in the repository", { cause });
  }
}

function bundle(glue, options, wasmFile, version, classic) {
  return build({
    outdir: dist,
    bundle: true,
    minify: true,
    target: "es2022",
    legalComments: "none",
    metafile: true,
    logLevel: "warning",
    // In the classic build the branch that uses it is dead.
    logOverride: classic ? { "empty-import-meta": "silent" } : {},
    define: { WASM_FILE: JSON.stringify(`./${wasmFile}`), VERSION: JSON.stringify(version), CLASSIC: String(classic) },
    plugins: [engineGlue(glue)],
    ...options,
  });
}

/** A module as a script that defines the global `NatsGeo`. The bundler does it too, by a getter for each export: 270 B. */
function toClassic(module) {
  const exports = /export\{([^{}]*)\};\s*$/;
  const names = exports.exec(module)?.[1];
  if (names === undefined) throw new Error("the bundle of the service worker does not end with its exports");
  const members = names.split(",").map((name) => name.replace(/^(\S+) as (\S+)$/, "$2:$1"));
  return `var NatsGeo=(()=>{"use strict";${module.replace(exports, `return{${members}}`)}})();\n`;
}

/** Wraps the glue into a function: each call is an instance of its own, see src/engine/glue.ts. */
function engineGlue(glue) {
  const contents = `export function createGlue(WebSocket) {\n${trimmed(glue)}\nreturn wasm_bindgen;\n}`;
  return {
    name: "engine-glue",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^virtual:engine$/ }, () => ({ path: "engine", namespace: "engine" }));
      onLoad({ filter: /.*/, namespace: "engine" }, () => ({ contents, loader: "js" }));
    },
  };
}

/** Without what the glue has for those who let it load the engine and start it: this package does both by itself. */
function trimmed(glue) {
  const start = `    exports.imports = __wbg_get_imports();
    exports.start = __wbg_finalize_init;
    return exports;
})({});
`;
  const cuts = [
    [/    let script_src;[^]*?\n    }\n/, ""],
    [/    if \(!\('encodeInto' in cachedTextEncoder\)\)[^]*?\n    }\n/, ""],
    [/    async function __wbg_load\([^]*$/, start],
  ];
  return cuts.reduce((text, [part, instead]) => {
    if (!part.test(text)) throw new Error(`wasm-bindgen's glue has no ${part} any more: look what it has instead`);
    return text.replace(part, instead);
  }, glue);
}

async function report({ outputs }, wasmFile, limit) {
  const rows = [];
  const measure = async (file) => {
    const bytes = await readFile(join(dist, file));
    const brotli = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } });
    const row = { file, raw: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length, brotli: brotli.length };
    rows.push(row);
    return row.brotli;
  };
  const wasmBytes = await measure(wasmFile);
  const classicBytes = await measure("sw-classic.js");
  const moduleBytes = await measure("sw.js");
  const pageFiles = closure(outputs, "index.js");
  const pageBytes = await sumOf(pageFiles, measure);
  await sumOf(closure(outputs, "core.js").filter((file) => !pageFiles.includes(file)), measure);
  console.table(rows);
  const workerBytes = Math.max(classicBytes, moduleBytes);
  const total = workerBytes + wasmBytes;
  console.log(`service worker, JavaScript: ${moduleBytes} B as module, ${classicBytes} B classic (brotli; target ${WORKER_JS_TARGET_BYTES})`);
  console.log(`service worker, all in: ${total} B (brotli; target ${TOTAL_TARGET_BYTES}, limit ${limit})`);
  console.log(`page, without its own engine: ${pageBytes} B (brotli)`);
  if (total > TOTAL_TARGET_BYTES) console.log(`above the target by ${total - TOTAL_TARGET_BYTES} B`);
  if (total > limit) throw new Error(`${total} B are more than the limit of ${limit} B`);
}

/** An entry with the chunks that it imports statically. */
function closure(outputs, entry) {
  const found = new Set();
  const visit = (path) => {
    if (found.has(path)) return;
    found.add(path);
    for (const imported of outputs[path].imports) if (imported.kind === "import-statement") visit(imported.path);
  };
  visit(Object.keys(outputs).find((path) => path.endsWith(`/${entry}`)));
  return [...found].map((path) => path.split("/").at(-1));
}

async function sumOf(files, measure) {
  let sum = 0;
  for (const file of files) sum += await measure(file);
  return sum;
}
