// The package as its users get it: packed, and used by way of vite, esbuild and plain script tags.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFile, cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { launchBrowser } from "./lib/browser.mjs";
import { startServer } from "./lib/server.mjs";
import { startSite } from "./lib/site.mjs";

const run = promisify(execFile);
const PACKAGE = join(import.meta.dirname, "../../nats-geo-wasm/js");
const tool = (name) => import(pathToFileURL(createRequire(join(PACKAGE, "package.json")).resolve(name)));

const PAGE = `<!doctype html><title>packaging</title><script type="module" src="./main.js"></script>`;
const MAIN = `
  import { connect, NatsError, version } from "nats-geo";
  window.attempt = async (servers, mode) => {
    const nc = await connect({ servers, mode, worker: { url: "/sw.js" } });
    const service = nc.subscribe("ask", { callback: (error, message) => message.respond(message.string() + "!") });
    await nc.flush();
    const answer = (await nc.request("ask", "hello", { timeout: 3000 })).string();
    const refused = await connect({ servers: "nats://x", mode }).catch((error) => error instanceof NatsError && error.code);
    await nc.close();
    return [nc.mode, answer, refused, version];
  };
`;
const WORKER = `
  import { NatsGeoWorker } from "nats-geo/sw";
  new NatsGeoWorker();
`;
/** As a careful user would write it; compiled, not run. */
const CONSUMER = `
  import { connect, headers, Kvm, Objm, jetstream, NatsError, type Msg, type NatsConnection, type Subscription } from "nats-geo";
  import { init, wsconnect } from "nats-geo/core";
  import { NatsGeoWorker, type Route } from "nats-geo/sw";
  const routes: Route[] = [{ path: "/api/*", subject: "web.*" }, { path: "/files/*", bucket: "b" }];
  export const worker = () => new NatsGeoWorker({ routes });
  export async function use(): Promise<void> {
    await init();
    const nc: NatsConnection = await wsconnect({ servers: ["wss://a"], reconnect: true });
    await using other = await connect({ servers: "wss://a", mode: "auto", worker: { url: "/sw.js", type: "classic" } });
    const subscription: Subscription = nc.subscribe("a.>", { queue: "q", max: 3 });
    for await (const message of subscription) handle(message);
    const hdrs = headers();
    hdrs.append("a", "b");
    const { data } = await nc.request("x", "y", { timeout: 5, headers: hdrs });
    data satisfies Uint8Array;
    await jetstream(nc).publish("s", "x", { msgID: "1" });
    const entry = await (await new Kvm(nc).open("b")).get("k");
    entry?.revision satisfies number | undefined;
    const found = await (await new Objm(other).open("b")).get("o", { range: { start: 0, end: 1 } });
    found?.data satisfies ReadableStream<Uint8Array> | undefined;
    try {
      await nc.drain();
    } catch (error) {
      if (error instanceof NatsError) error.code satisfies string;
    }
    // @ts-expect-error a misspelt option
    await connect({ severs: "wss://a" });
  }
  function handle(message: Msg): void {
    message.respond(message.string());
    message.json<{ n: number }>().n.toFixed();
  }
`;

let folder;
let installed;
let server;
let browser;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "nats-geo-packaging-"));
  installed = join(folder, "node_modules/nats-geo");
  await run("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder], { cwd: PACKAGE });
  const [tarball] = (await readdir(folder)).filter((name) => name.endsWith(".tgz"));
  await mkdir(installed, { recursive: true });
  await run("tar", ["-xzf", join(folder, tarball), "-C", installed, "--strip-components=1"]);
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "consumer", private: true, type: "module" }));
  await writeFile(join(folder, "index.html"), PAGE);
  await writeFile(join(folder, "main.js"), MAIN);
  await writeFile(join(folder, "sw.js"), WORKER);
  server = await startServer();
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  await server?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** Opens what was built, and talks to a server in both modes. */
async function works(root) {
  const site = await startSite({}, { root });
  const page = await (await browser.newContext()).newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(error.message));
  try {
    await page.goto(`${site.origin("built")}/index.html`);
    await page.waitForFunction(() => window.attempt).catch((error) => assert.fail(`${problems.join("; ")} ${error.message}`));
    const { version } = JSON.parse(await readFile(join(PACKAGE, "package.json"), "utf8"));
    for (const mode of ["page", "worker"]) {
      assert.deepEqual(await page.evaluate(([servers, mode]) => window.attempt(servers, mode), [server.url, mode]), [mode, "hello!", "INVALID_ARGUMENT", version]);
    }
  } finally {
    await page.context().close();
    site.stop();
  }
}

describe("the packed package", () => {
  it("holds what it needs and nothing else", async () => {
    const names = (await readdir(installed, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).map((entry) => entry.name);
    assert.ok(names.includes("README.md"));
    assert.equal(names.filter((name) => name.endsWith(".wasm")).length, 1);
    for (const name of names) assert.match(name, /^(package\.json|README\.md|LICENSE|[\w-]+\.js|[\w-]+\.d\.ts|nats_geo-[0-9a-f]{10}\.wasm)$/);
  });

  it("is what publint accepts", async () => {
    const { publint } = await tool("publint");
    const { formatMessage } = await tool("publint/utils");
    const { messages, pkg } = await publint({ pkgDir: installed, strict: true });
    assert.deepEqual(messages.map((message) => formatMessage(message, pkg)), []);
  });

  for (const resolution of [{ module: "esnext", moduleResolution: "bundler" }, { module: "nodenext", moduleResolution: "nodenext" }]) {
    it(`has declarations for strict TypeScript with ${resolution.moduleResolution} resolution`, async () => {
      await writeFile(join(folder, "consumer.ts"), CONSUMER);
      const compilerOptions = { ...resolution, target: "es2022", lib: ["es2023", "esnext.disposable", "dom", "dom.asynciterable"], strict: true, exactOptionalPropertyTypes: true, noEmit: true, types: [] };
      await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["consumer.ts"] }));
      const tsc = join(PACKAGE, "node_modules/.bin/tsc");
      await run(tsc, ["-p", folder]).catch((error) => assert.fail(error.stdout));
    });
  }

  it("gives connections to code that was written for nats-core", async () => {
    const core = createRequire(import.meta.url).resolve("@nats-io/nats-core").replace(/\.js$/, "");
    const methods = "publish publishMessage respondMessage request requestMany flush drain close closed isClosed isDraining getServer stats rtt reconnect setServers".split(" ");
    const code = `
      import type { NatsConnection as Theirs, Subscription } from ${JSON.stringify(core)};
      import { connect, headers, type NatsConnection as Ours } from "nats-geo";
      declare const ours: Ours;
      export const theirs: Pick<Theirs, ${methods.map((name) => JSON.stringify(name)).join(" | ")}> = ours;
      // nats-core hides \`callback\` from its documentation, and so do we from our types.
      export const subscribe = (subject: string): Omit<Subscription, "callback"> => ours.subscribe(subject, { queue: "q", max: 1, callback: (error, message) => message.respond() });
      export const greet = (nc: typeof theirs) => nc.publish("a", "b", { headers: headers() });
      export const start = async () => greet(await connect());
    `;
    await writeFile(join(folder, "port.ts"), code);
    const compilerOptions = { module: "esnext", moduleResolution: "bundler", target: "es2022", lib: ["es2023", "esnext.disposable", "dom", "dom.asynciterable"], strict: true, skipLibCheck: true, noEmit: true, types: [] };
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["port.ts"] }));
    await run(join(PACKAGE, "node_modules/.bin/tsc"), ["-p", folder]).catch((error) => assert.fail(error.stdout));
  });

  it("works when built with vite", async () => {
    const { build } = await tool("vite");
    const outDir = join(folder, "vite");
    const input = { index: join(folder, "index.html"), sw: join(folder, "sw.js") };
    await build({ root: folder, logLevel: "error", configFile: false, build: { outDir, target: "es2022", rollupOptions: { input, output: { entryFileNames: "[name].js" } } } });
    await works(outDir);
  });

  it("works when built with esbuild", async () => {
    const { build } = await tool("esbuild");
    const outdir = join(folder, "esbuild");
    await build({ entryPoints: ["main", "sw"].map((name) => join(folder, `${name}.js`)), outdir, bundle: true, splitting: true, format: "esm", target: "es2022", logLevel: "error" });
    // esbuild leaves `new URL(..., import.meta.url)` alone, so the file is copied beside the bundle.
    const [wasm] = (await readdir(join(installed, "dist"))).filter((name) => name.endsWith(".wasm"));
    await copyFile(join(installed, "dist", wasm), join(outdir, wasm));
    await copyFile(join(folder, "index.html"), join(outdir, "index.html"));
    await works(outdir);
  });

  it("works without any build", async () => {
    const root = join(folder, "plain");
    await mkdir(root);
    await cp(join(installed, "dist"), join(root, "nats-geo"), { recursive: true });
    await writeFile(join(root, "index.html"), PAGE);
    await writeFile(join(root, "main.js"), MAIN.replace('"nats-geo"', '"/nats-geo/index.js"'));
    await writeFile(join(root, "sw.js"), WORKER.replace('"nats-geo/sw"', '"/nats-geo/sw.js"'));
    await works(root);
  });
});
