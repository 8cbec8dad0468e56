// A real super-cluster: several regions, joined by gateways, each server with a WebSocket port behind a proxy that adds
// the region's distance.

import { spawn } from "node:child_process";
import { access, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { startProxy } from "./proxy.mjs";
import { until } from "./until.mjs";

/** Regions by their distance from the browser, and how many servers each has. */
export const REGIONS = [
  { name: "lon", servers: 2, rttMs: 4 },
  { name: "ams", servers: 2, rttMs: 30 },
  { name: "dal", servers: 3, rttMs: 80 },
];

/** Electing JetStream's leader takes 4 to 5 s; a busy machine needs several times that. */
const READY_WAIT_MS = 60_000;

// Only a process that exits runs its exit handlers, and a signal does not make it exit but end.
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));

/** `oneAddress`: all servers behind one IP address, by ports; browsers open WebSockets to one address one after the other. */
export async function startCluster(options = {}) {
  const binary = await findServer();
  const folder = await mkdtemp(join(tmpdir(), "nats-geo-browser-"));
  const servers = await plan(options.oneAddress);
  const cluster = new Cluster(binary, folder, servers, options);
  try {
    await Promise.all(servers.map((server) => cluster.start(server)));
    await cluster.ready();
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  return cluster;
}

class Cluster {
  constructor(binary, folder, servers, options) {
    Object.assign(this, { binary, folder, servers, options });
    // Whatever ends this process ends the servers too.
    this.onExit = () => servers.forEach((server) => server.process?.kill("SIGKILL"));
    process.on("exit", this.onExit);
  }

  /** WebSocket addresses, one per server. */
  urls(regions = REGIONS.map((region) => region.name)) {
    return this.in(regions).map((server) => `ws://${server.proxy.address}`);
  }

  in(regions) {
    return this.servers.filter((server) => [regions].flat().includes(server.region.name));
  }

  /** The server that answers at an address. */
  at(address) {
    return this.servers.find((server) => address === server.proxy.address);
  }

  async start(server) {
    const file = join(this.folder, `${server.name}.conf`);
    await mkdir(join(this.folder, server.name), { recursive: true });
    await writeFile(file, this.config(server));
    server.process = spawn(this.binary, ["-c", file], { stdio: "ignore" });
    server.ended = new Promise((resolve) => server.process.on("exit", resolve));
    const answers = async () => {
      if (server.process.exitCode !== null) throw new Error(`it ended with ${server.process.exitCode}`);
      return isListening(server.websocket);
    };
    await until(`${server.name} answers`, answers, READY_WAIT_MS);
  }

  signal(server, signal) {
    server.process.kill(signal);
  }

  async kill(server) {
    server.process.kill("SIGKILL");
    await server.ended;
  }

  /** The server's clients, as it sees them. */
  async connections(server, path = "connz?subs=1") {
    const response = await fetch(`http://127.0.0.1:${server.monitor}/${path}`, { signal: AbortSignal.timeout(2000) });
    return (await response.json()).connections;
  }

  /** All clients with a name, with the server that has them. */
  async clients(name) {
    const lists = await Promise.all(
      this.servers.map(async (server) => {
        const connections = await this.connections(server).catch(() => []);
        return connections.filter((connection) => connection.name === name).map((connection) => ({ server, connection }));
      }),
    );
    return lists.flat();
  }

  async ready() {
    for (const server of this.servers) {
      await until(
        `${server.name} sees all gateways and JetStream's leader`,
        async () => {
          const { outbound_gateways: gateways } = await this.monitor(server, "gatewayz");
          const { meta_cluster: meta } = await this.monitor(server, "jsz");
          return Object.keys(gateways).length === REGIONS.length - 1 && meta?.leader && meta.cluster_size === this.servers.length;
        },
        READY_WAIT_MS,
      );
    }
  }

  async monitor(server, path) {
    return (await fetch(`http://127.0.0.1:${server.monitor}/${path}`)).json();
  }

  async stop() {
    process.off("exit", this.onExit);
    for (const server of this.servers) {
      server.process?.kill("SIGKILL");
      server.proxy?.stop();
    }
    await Promise.all(this.servers.map((server) => server.ended));
    await rm(this.folder, { recursive: true, force: true });
  }

  config(server) {
    const gateways = REGIONS.map(({ name }) => {
      const urls = this.in(name).map((one) => `"nats://127.0.0.1:${one.gateway}"`);
      return `{ name: ${name}, urls: [${urls}] }`;
    });
    const routes = this.in(server.region.name).map((one) => `"nats://127.0.0.1:${one.route}"`);
    return `
      server_name: ${server.name}
      listen: "127.0.0.1:${server.client}"
      http: "127.0.0.1:${server.monitor}"
      cluster { name: ${server.region.name}, listen: "127.0.0.1:${server.route}", routes: [${routes}] }
      gateway { name: ${server.region.name}, listen: "127.0.0.1:${server.gateway}", gateways: [${gateways}] }
      websocket { listen: "127.0.0.1:${server.websocket}", no_tls: true, advertise: "${server.proxy.address}" }
      jetstream { store_dir: "${join(this.folder, server.name)}" }
      max_payload: 1MB
      lame_duck_grace_period: "10s"
      lame_duck_duration: "30s"
      ${this.options.extra ?? ""}
    `;
  }
}

/** Ports are held until all are chosen: one that was let go may be given out again at once. */
async function plan(oneAddress) {
  const servers = [];
  const held = [];
  for (const region of REGIONS) {
    for (let index = 1; index <= region.servers; index++) {
      const sockets = await Promise.all(Array.from({ length: 5 }, hold));
      held.push(...sockets);
      const [client, monitor, route, gateway, websocket] = sockets.map((socket) => socket.address().port);
      const server = { region, name: `${region.name}-${index}`, client, monitor, route, gateway, websocket };
      // Browsers dial one socket after the other to one IP address, so each server has its own, as in the world.
      const host = process.platform === "linux" && !oneAddress ? `127.0.0.${servers.length + 2}` : "127.0.0.1";
      server.proxy = await startProxy(host, websocket, region.rttMs);
      servers.push(server);
    }
  }
  await Promise.all(held.map((socket) => new Promise((resolve) => socket.close(resolve))));
  return servers;
}

function hold() {
  return new Promise((resolve, reject) => {
    const socket = net.createServer().on("error", reject).listen(0, "127.0.0.1", () => resolve(socket));
  });
}

function isListening(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

/** The version that the repository's other tests use too. */
const VERSION = "2.15.1";

export async function findServer() {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "nats-geo", `nats-server-${VERSION}`, "nats-server");
  for (const candidate of [process.env.NATS_SERVER, cache]) {
    if (candidate && (await access(candidate).then(() => true, () => false))) return candidate;
  }
  throw new Error("no nats-server: name it in NATS_SERVER, or run `cargo run --example nats_server_path` in the repository, which fetches it");
}
