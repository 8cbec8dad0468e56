// connect: through the service worker if there can be one, else in this page.

import type { PageOptions } from "../../types/index.js";
import type { NatsConnection } from "../../types/nats.js";
import { Connection } from "../connection.ts";
import { ConnectionError } from "../errors.ts";
import { TIMEOUT_DEFAULT_MS } from "../options.ts";
import { parsePageOptions, postable, type ParsedPageOptions } from "./options.ts";
import { controlledBy } from "./registration.ts";
import { WorkerBackend } from "./worker-backend.ts";

/** Firefox stops a worker that gets no message for 30 s, whatever is open. */
const BEAT_EVERY_MS = 12_000;
/** The engine keeps the limit of the first connection; this much later the page stops waiting for its word. */
const READY_GRACE_MS = 2000;

export async function connect(options?: PageOptions): Promise<NatsConnection> {
  const parsed = parsePageOptions(options);
  if (parsed.mode === "page") return inPage(options);
  // Bad options are the same in every mode, so they are found before a worker is asked.
  const prepared = await postable(parsed.connection);
  try {
    const registration = await controlledBy(parsed.worker.url, parsed.worker.type, parsed.worker.scope);
    return await throughWorker(registration.scope, parsed, prepared);
  } catch (error) {
    const hasNoWorker = error instanceof ConnectionError && error.code === "WORKER_UNAVAILABLE";
    if (parsed.mode === "worker" || !hasNoWorker || !parsed.connection.servers) throw error;
    console.warn(`nats-geo: this page connects by itself: ${error.message}`);
    return inPage(options);
  }
}

async function throughWorker(scope: string, { connection: options }: ParsedPageOptions, { posted, authenticator }: Awaited<ReturnType<typeof postable>>): Promise<NatsConnection> {
  const connection = new Connection("worker");
  const backend = new WorkerBackend(scope, posted, authenticator, connection);
  connection.attach(backend);
  void connection.closed().then(forwardHints(backend));
  try {
    await backend.start();
    await limited(connection.ready, (options.timeout ?? TIMEOUT_DEFAULT_MS) + READY_GRACE_MS);
    return connection;
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** The engine is only loaded when it is needed here. */
async function inPage(options: PageOptions | undefined): Promise<NatsConnection> {
  const { init, wsconnect } = await import("../core.ts");
  const { mode: _mode, worker: _worker, wasm, ...connection } = options ?? {};
  await init(wasm);
  return wsconnect(connection);
}

async function limited<T>(promise: Promise<T>, ms: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new ConnectionError(`no server answered within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Network and visibility are known to pages only; the worker is told. */
function forwardHints(backend: WorkerBackend): () => void {
  const abort = new AbortController();
  const listening = { signal: abort.signal };
  addEventListener("online", () => backend.hint("online"), listening);
  addEventListener("offline", () => backend.hint("offline"), listening);
  addEventListener("pagehide", () => backend.pause(), listening);
  addEventListener("pageshow", () => backend.resume(), listening);
  document.addEventListener("visibilitychange", () => backend.hint(document.visibilityState), listening);
  document.addEventListener("resume", () => backend.hint("resumed"), listening);
  navigator.serviceWorker.addEventListener("controllerchange", () => backend.controllerChanged(), listening);
  const beats = setInterval(() => document.visibilityState === "visible" && backend.beat(), BEAT_EVERY_MS);
  return () => {
    abort.abort();
    clearInterval(beats);
  };
}
