// nats-geo against nats-core in one Chromium and one nats-server: publish and receive, 16 B and 1 KiB, in a page and in a
// worker. The two take turns, so that what the machine does besides hits both; what counts is the ratio of each turn.
// `bare` is a WebSocket with hardly a client around it: what any client could reach.
// `npm run bench -- --rounds 9` takes longer and is surer.

import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { launchBrowser } from "../../tests/browser/lib/browser.mjs";
import { findServer } from "../../tests/browser/lib/cluster.mjs";
import { until } from "../../tests/browser/lib/until.mjs";

const here = import.meta.dirname;
const DIST = join(here, "../../nats-geo-wasm/js/dist");
const { values } = parseArgs({ options: { rounds: { type: "string", default: "5" } } });
const ROUNDS = Number(values.rounds);
if (!(ROUNDS >= 1)) throw new Error(`--rounds ${values.rounds} is no number of at least 1`);
const SIZES = [
  { bytes: 16, publish: 200_000, receive: 200_000 },
  { bytes: 1024, publish: 60_000, receive: 40_000 },
];
const TYPES = { ".js": "text/javascript", ".wasm": "application/wasm" };

const folder = await mkdtemp(join(tmpdir(), "nats-geo-bench-"));
const undo = [() => rm(folder, { recursive: true, force: true })];
try {
  await main();
} finally {
  for (const step of undo.reverse()) await step();
}

async function main() {
  const server = await startServer();
  await build({ entryPoints: ["page.js", "worker.js"].map((name) => join(here, name)), outdir: folder, bundle: true, format: "esm", external: ["/nats-geo/*"], logLevel: "warning" });
  const site = await startSite();
  const browser = await launchBrowser();
  undo.push(() => browser.close());
  const page = await browser.newPage();
  page.on("pageerror", (error) => console.error(error.message));
  await page.goto(site);
  await page.waitForFunction(() => window.bench);
  const rows = [];
  for (const task of ["publish", "receive"]) {
    for (const size of SIZES) {
      for (const realm of ["page", "worker"]) rows.push(await compared(page, server, { task, realm, bytes: size.bytes, count: size[task] }));
    }
  }
  console.table(rows);
  console.log(`${ROUNDS} rounds each; rates are medians in messages per second, ratios are nats-geo (bare) over nats-core within a round`);
}

async function compared(page, server, job) {
  const rates = { "nats-geo": [], "nats-core": [], bare: [] };
  for (let number = 0; number < ROUNDS; number += 1) {
    // Whoever goes first has the cooler machine.
    const order = number % 2 === 0 ? ["nats-geo", "nats-core", "bare"] : ["bare", "nats-core", "nats-geo"];
    for (const client of order) rates[client].push(await rate(page, server, { ...job, client }));
  }
  const over = (client) => rates[client].map((rate, index) => rate / rates["nats-core"][index]).sort((a, b) => a - b);
  const ratios = over("nats-geo");
  const { task, realm, bytes } = job;
  const perSecond = Object.fromEntries(Object.entries(rates).map(([client, values]) => [client, Math.round(median(values))]));
  return { task, bytes, realm, ...perSecond, ratio: median(ratios).toFixed(2), least: ratios[0].toFixed(2), most: ratios.at(-1).toFixed(2), "bare ratio": median(over("bare")).toFixed(2) };
}

async function rate(page, server, job) {
  const subject = `bench.${Math.random().toString(36).slice(2)}`;
  const running = page.evaluate((job) => window.bench(job), { ...job, subject, url: server.websocket });
  if (job.task === "receive") {
    await until("the subscription", async () => (await server.subscriptions()).includes(subject), 20_000);
    await blast(server.port, subject, job.bytes, job.count);
  }
  return running;
}

/** Sends everything as fast as a socket takes it: no client that could be the slower one. */
async function blast(port, subject, bytes, count) {
  const socket = net.connect(port, "127.0.0.1");
  const closed = new Promise((_, reject) => {
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("the server has closed the connection of the sender")));
  });
  closed.catch(() => {});
  const message = Buffer.from(`PUB ${subject} ${bytes}\r\n${"x".repeat(bytes)}\r\n`);
  socket.write('CONNECT {"verbose":false}\r\n');
  const batch = Buffer.concat(Array(64).fill(message));
  for (let sent = 0; sent < count; ) {
    const next = count - sent >= 64 ? batch : message;
    sent += next === batch ? 64 : 1;
    if (!socket.write(next)) await Promise.race([closed, new Promise((resolve) => socket.once("drain", resolve))]);
  }
  await Promise.race([closed, new Promise((resolve) => socket.end("PING\r\n", resolve))]);
}

async function startServer() {
  const config = join(folder, "nats.conf");
  // The receiver is slower than the sender: the server must hold what is between them.
  await writeFile(config, 'listen: "127.0.0.1:-1"\nhttp: "127.0.0.1:-1"\nmax_pending: 1GB\nwebsocket { listen: "127.0.0.1:-1", no_tls: true }\n');
  const child = spawn(await findServer(), ["-c", config, "--ports_file_dir", folder], { stdio: "ignore" });
  undo.push(() => child.kill("SIGKILL"));
  const ports = await until("the server", async () => JSON.parse(await readFile(join(folder, `nats-server_${child.pid}.ports`), "utf8")));
  const connz = `${ports.monitoring[0]}/connz?subs=1`;
  return {
    websocket: ports.websocket[0],
    port: Number(new URL(ports.nats[0]).port),
    subscriptions: async () => (await (await fetch(connz)).json()).connections.flatMap(({ subscriptions_list: list }) => list ?? []),
  };
}

async function startSite() {
  const server = http.createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://site");
    if (pathname === "/") return response.writeHead(200, { "content-type": "text/html" }).end('<script type="module" src="/page.js"></script>');
    const file = pathname.startsWith("/nats-geo/") ? join(DIST, normalize(pathname.slice("/nats-geo/".length))) : join(folder, normalize(pathname));
    try {
      response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "text/plain" }).end(await readFile(file));
    } catch {
      response.destroy();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  undo.push(() => (server.close(), server.closeAllConnections()));
  return `http://127.0.0.1:${server.address().port}/`;
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
