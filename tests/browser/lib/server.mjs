// One nats-server, and servers that are none.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findServer } from "./cluster.mjs";
import { until } from "./until.mjs";

/** Starts a nats-server with a WebSocket port (`port`, else any) and whatever else its configuration says; JetStream stores in its own folder. */
export async function startServer(extra = "", { withStreams = false, port } = {}) {
  const folder = await mkdtemp(join(tmpdir(), "nats-geo-server-"));
  const [client, anyPort, monitor] = await freePorts(3);
  const websocket = port ?? anyPort;
  const file = join(folder, "nats.conf");
  await writeFile(file, `listen: "127.0.0.1:${client}"\nhttp: "127.0.0.1:${monitor}"\nwebsocket { listen: "127.0.0.1:${websocket}", no_tls: true }\n${withStreams ? `jetstream { store_dir: "${folder}" }\n` : ""}${extra}`);
  const log = [];
  const process_ = spawn(await findServer(), ["-c", file, "-D"], { stdio: ["ignore", "ignore", "pipe"] });
  process_.stderr.on("data", (text) => log.push(String(text)));
  const ended = new Promise((resolve) => process_.on("exit", resolve));
  const onExit = () => process_.kill("SIGKILL");
  process.on("exit", onExit);
  const stop = async () => {
    process.off("exit", onExit);
    process_.kill("SIGKILL");
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  await until("nats-server answers", async () => {
    if (process_.exitCode !== null) throw new Error(log.join(""));
    return fetch(`http://127.0.0.1:${monitor}/healthz`).then(({ ok }) => ok, () => false);
  });
  const connections = async () => (await (await fetch(`http://127.0.0.1:${monitor}/connz?auth=1`)).json()).connections;
  return { url: `ws://127.0.0.1:${websocket}`, client: `127.0.0.1:${client}`, connections, log: () => log.join(""), stop };
}

/** A WebSocket server that sends one message and then is silent. */
export async function startImpostor(message) {
  const sockets = new Set();
  const server = http.createServer((request, response) => response.writeHead(426).end());
  server.on("upgrade", (request, socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    // RFC 6455, section 4.2.2.
    const accept = createHash("sha1").update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
    const payload = Buffer.from(message);
    if (payload.length > 0) socket.write(Buffer.concat([Buffer.from([0x82, payload.length]), payload]));
  });
  await new Promise((resolve, reject) => server.listen(0, "127.0.0.1", resolve).on("error", reject));
  const stop = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { url: `ws://127.0.0.1:${server.address().port}`, stop };
}

/** A port on which nobody listens. */
export async function closedPort() {
  return (await freePorts(1))[0];
}

async function freePorts(count) {
  const hold = () => new Promise((resolve, reject) => {
    const socket = net.createServer().on("error", reject).listen(0, "127.0.0.1", () => resolve(socket));
  });
  const sockets = await Promise.all(Array.from({ length: count }, hold));
  const ports = sockets.map((socket) => socket.address().port);
  await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.close(resolve))));
  return ports;
}
