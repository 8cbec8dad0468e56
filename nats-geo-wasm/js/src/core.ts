// Entry "nats-geo/core": the connection lives in this page or worker.

import type { ConnectionOptions, NatsConnection } from "../types/nats.js";
import { Connection } from "./connection.ts";
import { chunkedCopies } from "./engine/chunks.ts";
import { EngineHost } from "./engine/host.ts";
import { engineModule } from "./engine/module.ts";
import { parseOptions } from "./options.ts";

export * from "./common.ts";
export * from "./compat.ts";
export { init } from "./engine/module.ts";

export async function wsconnect(options?: ConnectionOptions): Promise<NatsConnection> {
  engineModule();
  const parsed = parseOptions(options);
  if (globalThis.document) parsed.engine.config = withPatience(parsed.engine.config);
  const connection = new Connection("page", parsed.drainTimeoutMs);
  const host = new EngineHost(parsed, connection, undefined, chunkedCopies());
  connection.attach(host);
  const forget = forwardHints(host);
  void connection.closed().then(forget);
  host.connect();
  if (!options?.backgroundConnect) await connection.ready;
  return connection;
}

/** Browsers fire the timers of a hidden page once a second: what is up to that late has not stalled, as the policy would hold. */
const STALL_MS = 1_500;

function withPatience(config: Record<string, unknown> = {}): Record<string, unknown> {
  const { watch = {} } = config;
  // What is no section of the policy is left to be refused.
  return typeof watch === "object" ? { ...config, watch: { stall: STALL_MS, ...watch } } : config;
}

/** What the browser knows of network and visibility. The engine takes it as a hint and looks for itself. */
function forwardHints(host: EngineHost): () => void {
  const abort = new AbortController();
  const listen = (target: EventTarget | undefined, type: string, hint: (event: Event) => Parameters<EngineHost["hint"]>[0] | undefined): void =>
    target?.addEventListener(
      type,
      (event) => {
        const kind = hint(event);
        if (kind) host.hint(kind);
      },
      { signal: abort.signal },
    );
  listen(globalThis, "online", () => "online");
  listen(globalThis, "offline", () => "offline");
  listen(globalThis, "pageshow", (event) => ((event as PageTransitionEvent).persisted ? "resumed" : undefined));
  const page = globalThis.document;
  listen(page, "visibilitychange", () => page.visibilityState);
  listen(page, "resume", () => "resumed");
  return () => abort.abort();
}
