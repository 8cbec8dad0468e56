// connect: through the service worker if there can be one, else in this page.

import type { PageOptions } from "../../types/index.js";
import type { NatsConnection } from "../../types/nats.js";
import { Connection } from "../connection.ts";
import { Deadline, limited } from "../deadline.ts";
import { ConnectionError } from "../errors.ts";
import { TIMEOUT_DEFAULT_MS } from "../options.ts";
import { parsePageOptions, postable, type ParsedPageOptions } from "./options.ts";
import { controlledBy } from "./registration.ts";
import { WorkerBackend } from "./worker-backend.ts";

/** Firefox stops a worker that gets no message for 30 s, whatever is open. */
const BEAT_EVERY_MS = 12_000;
/** The engine keeps the limit of the first connection; this much later the page stops waiting for its word. */
const READY_GRACE_MS = 2000;
/** Part of the time limit within which a worker must take the page, when the page can connect by itself in the rest. */
const WORKER_SHARE = 0.5;

export async function connect(options?: PageOptions): Promise<NatsConnection> {
  const parsed = parsePageOptions(options);
  // Bad options are the same in every mode, so they are found before a worker is asked.
  const prepared = await postable(parsed.connection);
  const limitMs = parsed.connection.timeout ?? TIMEOUT_DEFAULT_MS;
  const deadline = new Deadline(limitMs);
  if (parsed.mode === "page") return inPage(options, deadline);
  const mayFallBack = parsed.mode === "auto" && parsed.connection.servers !== undefined;
  try {
    return await throughWorker(parsed, prepared, new Deadline(mayFallBack ? limitMs * WORKER_SHARE : limitMs), deadline);
  } catch (error) {
    const hasNoWorker = error instanceof ConnectionError && error.code === "WORKER_UNAVAILABLE";
    if (!mayFallBack || !hasNoWorker) throw error;
    console.warn(`nats-geo: this page connects by itself: ${error.message}`);
    return inPage(options, deadline);
  }
}

/** `attachBy`: when the worker must have taken the page; `deadline`: when a link must be live. */
async function throughWorker(parsed: ParsedPageOptions, { posted, authenticator }: Awaited<ReturnType<typeof postable>>, attachBy: Deadline, deadline: Deadline): Promise<NatsConnection> {
  const { url, type, scope } = parsed.worker;
  const registration = await controlledBy(url, type, scope, attachBy);
  const connection = new Connection("worker", parsed.connection.drainTimeout);
  const backend = new WorkerBackend(registration.scope, posted, authenticator, connection);
  connection.attach(backend);
  void connection.closed().then(forwardHints(backend));
  try {
    await backend.start(attachBy);
    const { backgroundConnect, waitOnFirstConnect } = parsed.connection;
    const late = (ms: number): Error => new ConnectionError(`no server answered within ${ms} ms`);
    if (waitOnFirstConnect) await connection.ready;
    else if (!backgroundConnect) await limited(connection.ready, deadline.left() + READY_GRACE_MS, late);
    return connection;
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** Loads the engine, which a page only needs when it connects by itself. The engine gets the rest of the time limit. */
async function inPage(options: PageOptions | undefined, deadline: Deadline): Promise<NatsConnection> {
  const { mode: _mode, worker: _worker, wasm, ...connection } = options ?? {};
  const notLoaded = (why: string, cause?: unknown): ConnectionError => new ConnectionError(`nats-geo's WebAssembly engine could not be loaded: ${why}`, { cause, code: "ENGINE_NOT_LOADED" });
  const loading = import("../core.ts").catch((cause: unknown) => {
    throw notLoaded(String(cause), cause);
  });
  const loaded = loading.then(async ({ init, wsconnect }) => {
    await init(wasm);
    return wsconnect;
  });
  const wsconnect = await limited(loaded, deadline.left(), (ms) => notLoaded(`its file did not arrive within ${ms} ms`));
  return wsconnect({ ...connection, timeout: Math.max(1, Math.round(deadline.left())) });
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
