// NatsGeoWorker: the service worker's listeners, and what each of them does.

import type { NatsConnection } from "../../types/nats.js";
import type { Route, WorkerConfig } from "../../types/sw.js";
import { Connection } from "../connection.ts";
import { init, wasmUrl } from "../engine/module.ts";
import { Code, InvalidArgumentError, toCode } from "../errors.ts";
import { parseOptions, type ParsedOptions } from "../options.ts";
import { LIFELINE_PATH, PROTOCOL_VERSION, type PostedOptions, type ToWorker } from "../protocol.ts";
import { cachedEngine, keepEngine } from "./engine-cache.ts";
import { Hub } from "./hub.ts";
import { Lifelines } from "./lifelines.ts";
import { recall, remember } from "./memory.ts";
import { Routes } from "./routes.ts";
import { ObjectServer } from "./serve-object.ts";
import { serveRequest } from "./serve-request.ts";
import { failure } from "./failure.ts";
import { Session } from "./session.ts";
import type { ExtendableMessageEvent, FetchEvent, ServiceWorkerScope } from "./scope.ts";

declare const self: ServiceWorkerScope;

/**
 * The connection is closed in order this long after the last page has gone. The browser ends an idle worker after 30 s,
 * and the server would then see a connection that breaks; a reload or a walk from page to page comes back sooner.
 */
const LAST_PAGE_GRACE_MS = 25_000;
/** What the engine has learned is written this long after it learned something, so that a burst is one write. */
const REMEMBER_WAIT_MS = 1000;

export class NatsGeoWorker {
  readonly routes: readonly Route[];
  #config: WorkerConfig;
  #routes: Routes;
  #configured: ParsedOptions | undefined;
  #hub = new Hub(() => this.#rememberSoon());
  #lifelines = new Lifelines((client) => this.#pageGone(client));
  #sessions = new Map<string, Session>();
  #turn = Promise.resolve();
  #own: Promise<Connection> | undefined;
  #objects: ObjectServer | undefined;
  #serving = 0;
  #graceTimer: ReturnType<typeof setTimeout> | undefined;
  #rememberTimer: ReturnType<typeof setTimeout> | undefined;

  /** Registers all listeners, because browsers accept listeners only while the script runs for the first time. */
  constructor(config: WorkerConfig = {}) {
    this.#config = config;
    this.routes = config.routes ?? [];
    this.#routes = new Routes(this.routes);
    this.#configured = config.connection && parseOptions(config.connection, self.location);
    self.addEventListener("install", (event) => event.waitUntil(this.#install()));
    self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
    self.addEventListener("message", (event) => this.#message(event));
    self.addEventListener("fetch", (event) => this.#fetch(event));
  }

  /** Returns the connection, for routes and for the worker's own code. */
  async connection(): Promise<NatsConnection> {
    if (!this.#own) {
      const own = this.#connectOwn();
      const forget = (): void => {
        if (this.#own === own) this.#own = undefined;
      };
      own.then((connection) => connection.closed()).then(forget, forget);
      this.#own = own;
    }
    const connection = await this.#own;
    await connection.ready;
    return connection;
  }

  async #install(): Promise<void> {
    await keepEngine(this.#wasmUrl());
    await self.skipWaiting();
  }

  #wasmUrl(): URL {
    return this.#config.wasm === undefined ? wasmUrl() : new URL(this.#config.wasm, self.location.href);
  }

  #message(event: ExtendableMessageEvent): void {
    const message = event.data as ToWorker | null;
    switch (message?.natsGeo) {
      case "hello":
        return event.waitUntil(this.#greet(message, event.ports[0]));
      case "hint":
        return this.#hint(message.client, message.kind);
      case "claim":
        return event.waitUntil(self.clients.claim());
    }
  }

  /** Other paths are left alone: no respondWith, so the browser fetches as if there were no worker. */
  #fetch(event: FetchEvent): void {
    const url = new URL(event.request.url);
    const scope = new URL(self.registration.scope);
    if (url.origin !== scope.origin || !url.pathname.startsWith(scope.pathname)) return;
    const path = url.pathname.slice(scope.pathname.length - 1);
    if (path === `/${LIFELINE_PATH}`) {
      const client = url.searchParams.get("client") ?? "";
      return event.respondWith(this.#lifelines.respond(client));
    }
    const match = this.#routes.match(event.request.method, path);
    if (!match) return;
    const answer = async (): Promise<Response> => {
      const nc = await this.connection();
      if (match.kind === "request") return serveRequest(nc, match.route, match.subject, event.request, match.timeoutMs);
      if (this.#objects?.nc !== nc) this.#objects = new ObjectServer(nc, (reading) => this.#hold(reading));
      return this.#objects.serve(match.route, match.name, event.request);
    };
    const response = within(match.timeoutMs, answer());
    this.#hold(response);
    event.respondWith(response);
  }

  /** Keeps the connection for an answer that is worked on, or still being read. */
  #hold(work: Promise<unknown>): void {
    this.#serving += 1;
    clearTimeout(this.#graceTimer);
    void work.then(() => {
      this.#serving -= 1;
      this.#graceWhenAlone();
    });
  }

  async #greet(hello: Extract<ToWorker, { natsGeo: "hello" }>, port: MessagePort | undefined): Promise<void> {
    if (!port) return;
    const { client, options } = hello;
    this.#sessions.get(client)?.end();
    const session = new Session(client, port, options?.answers === true, () => this.#pageGone(client));
    if (hello.protocol !== PROTOCOL_VERSION) {
      return session.post(["terminated", Code.InvalidConfig, `page and service worker are of different versions (${hello.protocol} and ${PROTOCOL_VERSION}): reload the page`]);
    }
    if (!this.#lifelines.has(client)) return session.post(["unknown"]);
    this.#sessions.set(client, session);
    clearTimeout(this.#graceTimer);
    session.post(["welcome"]);
    try {
      await this.#start(options);
      if (this.#sessions.get(client) !== session) return;
      session.attach(this.#hub.join(session.events()));
      session.post(["attached"]);
    } catch (error) {
      const { code, text } = toCode(error);
      session.post(["terminated", code, text]);
    }
  }

  /** Starts the engine unless it runs. Everybody who comes meanwhile waits for the same start. */
  #start(posted: PostedOptions | undefined): Promise<void> {
    return this.#inTurn(() => this.#startEngine(posted));
  }

  /** Starts and ends one after the other: nobody joins a connection that is being closed. */
  #inTurn(step: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(step);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  #end(): Promise<void> {
    this.#own = undefined;
    return this.#hub.drain();
  }

  async #startEngine(posted: PostedOptions | undefined): Promise<void> {
    if (this.#hub.host) {
      if (this.#isSame(posted)) return;
      // A page that was reloaded with other options may have them when nobody else is there.
      if (this.#sessions.size > 1) {
        throw new InvalidArgumentError("another page of this origin is connected with other options: pages share one connection, so give all of them the same options, or use mode: \"page\"", { code: "INVALID_CONFIG" });
      }
      await this.#end();
    }
    const [remembered] = await Promise.all([recall(), cachedEngine(this.#wasmUrl()).then(init)]);
    const chosen = posted ?? remembered.options;
    const options = this.#configured ?? (chosen && this.#optionsOf(chosen));
    if (!options) throw new InvalidArgumentError("no servers are known: give them to connect() in the page, or to NatsGeoWorker as `connection`", { code: "INVALID_CONFIG" });
    this.#hub.start(options, keyOf(chosen), remembered.engine);
    if (posted) void remember({ options: posted });
  }

  /** One connection for all pages cannot have two sets of options. The script's own always win. */
  #isSame(posted: PostedOptions | undefined): boolean {
    return this.#configured !== undefined || posted === undefined || this.#hub.key === keyOf(posted);
  }

  #optionsOf(posted: PostedOptions): ParsedOptions {
    const { engine, credentials, answers } = posted;
    return { engine, credentials, authenticator: answers ? (nonce) => this.#askPages(nonce) : undefined };
  }

  /** The page that came last is the likeliest to be awake. */
  async #askPages(nonce: string | undefined): ReturnType<Session["authenticate"]> {
    const able = [...this.#sessions.values()].filter((session) => session.answers).reverse();
    const [last] = able;
    if (!last) throw new Error("no open page can answer the server's challenge");
    return last.authenticate(nonce);
  }

  async #connectOwn(): Promise<Connection> {
    await this.#start(undefined);
    const connection = new Connection("worker", this.#configured?.drainTimeoutMs);
    // The engine may be open already, and tells so while joining.
    const client = this.#hub.join(connection);
    connection.attach(client);
    return connection;
  }

  #hint(client: string, kind: "online" | "offline" | "visible" | "hidden" | "resumed"): void {
    const session = this.#sessions.get(client);
    if (kind === "visible" || kind === "hidden") {
      if (session) session.isVisible = kind === "visible";
      const isVisible = [...this.#sessions.values()].some((one) => one.isVisible);
      return this.#hub.hint(isVisible ? "visible" : "hidden");
    }
    this.#hub.hint(kind);
  }

  #pageGone(client: string): void {
    this.#sessions.get(client)?.end();
    this.#sessions.delete(client);
    this.#graceWhenAlone();
  }

  #graceWhenAlone(): void {
    clearTimeout(this.#graceTimer);
    if (this.#sessions.size > 0 || this.#serving > 0) return;
    this.#graceTimer = setTimeout(() => void this.#leave(), LAST_PAGE_GRACE_MS);
  }

  async #leave(): Promise<void> {
    await remember({ engine: this.#hub.host?.memory() });
    await this.#inTurn(async () => {
      if (this.#sessions.size === 0 && this.#serving === 0) await this.#end();
    });
  }

  #rememberSoon(): void {
    this.#rememberTimer ??= setTimeout(() => {
      this.#rememberTimer = undefined;
      const engine = this.#hub.host?.memory();
      if (engine) void remember({ engine });
    }, REMEMBER_WAIT_MS);
  }
}

/** Bounded, and never rejected: neither a page nor the browser waits for ever. */
async function within(timeoutMs: number, answer: Promise<Response>): Promise<Response> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<Response>((resolve) => {
    timer = setTimeout(() => {
      resolve(failure("TIMEOUT", `no answer within ${timeoutMs} ms`));
      // Nobody reads what comes now.
      answer.then(({ body }) => body?.cancel()).catch(() => {});
    }, timeoutMs);
  });
  try {
    return await Promise.race([answer, late]);
  } catch (error) {
    return failure((error as { code?: string }).code ?? "", error instanceof Error ? error.message : String(error));
  } finally {
    clearTimeout(timer);
  }
}

/** What two pages must agree on. Keys cannot be compared, their public halves can. */
function keyOf(posted: PostedOptions | undefined): string {
  if (!posted) return "";
  const { engine, credentials } = posted;
  const entries = Object.entries({ ...engine, nkey: credentials?.nkey, jwt: credentials?.jwt });
  return JSON.stringify(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
