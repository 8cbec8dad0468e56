// Type-checks the JavaScript and TypeScript samples of the book and of README against the package's own types.
//
// A sample is one module, or several that begin with a comment line such as `// sw.js`. Names that a sample uses must be imported
// or declared in it. Samples that import "nats-geo/sw" run in a service worker; all others run in a page.

import { spawnSync } from "node:child_process";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";

const js = join(import.meta.dirname, "..");
const root = join(js, "../..");
// Inside the package, so that "nats-geo" means the package itself.
const folder = join(js, ".samples");

const book = join(root, "docs/book");
const pages = (await readdir(book)).filter((name) => name.endsWith(".md")).map((name) => join(book, name));
const samples = [];
for (const page of [join(root, "README.md"), join(js, "README.md"), ...pages]) {
  const name = basename(page, ".md");
  const text = await readFile(page, "utf8");
  for (const [, indent, language, code] of text.matchAll(/^( *)```(js|ts)\n([\s\S]*?)^ *```$/gm)) {
    const unindented = code.split("\n").map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line)).join("\n");
    for (const module of unindented.split(/^(?=\/\/ [\w./-]+\.[jt]s\b)/m).filter((part) => part.trim())) {
      const path = `${name}-${samples.length + 1}.${language}`;
      samples.push({ path, code: `${module}\nexport {};\n`, realm: /nats-geo\/sw/.test(module) ? "worker" : "page" });
    }
  }
}
if (samples.length < 10) throw new Error(`only ${samples.length} samples were found in ${book}`);

await rm(folder, { recursive: true, force: true });
let failed = false;
for (const [realm, lib] of [["page", ["dom", "dom.iterable", "dom.asynciterable"]], ["worker", ["webworker"]]]) {
  const here = join(folder, realm);
  await mkdir(here, { recursive: true });
  const mine = samples.filter((sample) => sample.realm === realm);
  for (const { path, code } of mine) await writeFile(join(here, path), code);
  const compilerOptions = {
    target: "es2022",
    module: "esnext",
    moduleResolution: "bundler",
    lib: ["es2023", "esnext.disposable", ...lib],
    types: [],
    strict: true,
    // A sample in JavaScript cannot name the types of its parameters.
    noImplicitAny: false,
    allowJs: true,
    checkJs: true,
    noEmit: true,
    skipLibCheck: true,
  };
  await writeFile(join(here, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*"] }));
  const { status, error } = spawnSync(join(js, "node_modules/.bin/tsc"), ["-p", here], { stdio: "inherit" });
  if (error) throw new Error("cannot run tsc: `npm ci` in nats-geo-wasm/js installs it", { cause: error });
  failed ||= status !== 0;
  console.log(`samples: ${mine.length} of a ${realm}, ${status === 0 ? "all right" : "WRONG; the files are in " + here}`);
}
process.exitCode = failed ? 1 : 0;
