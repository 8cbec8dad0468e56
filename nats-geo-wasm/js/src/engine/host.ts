// Host: the engine as a backend. Turns its errors into classes, answers its challenges, and replaces it when it traps.

import type { Snapshot } from "../../types/nats.js";
import type { Backend, BackendEvents, Notice, State } from "../backend.ts";
import { ClosedConnectionError, Code, LinkLostError, errorFromCode } from "../errors.ts";
import { sign } from "../nkeys.ts";
import type { EngineOptions, ParsedOptions } from "../options.ts";
import { instantiate, type EngineInstance } from "./glue.ts";
import { engineModule } from "./module.ts";
import type { Engine, EngineServer, EngineSink, EngineSnapshot, Hint } from "./types.ts";

/**
 * Traps within a minute until the connection is given up. One may be bad luck, such as memory that ran out; an input
 * that traps again and again would otherwise dial the servers as fast as they answer.
 */
const TRAPS_MAX = 3;
const TRAPS_WINDOW_MS = 60_000;

export class EngineHost implements Backend {
  #options: ParsedOptions;
  #events: BackendEvents;
  #instance: EngineInstance | undefined;
  #engine: Engine | undefined;
  #isClosed = false;
  #trapTimes: number[] = [];
  #copy: (bytes: Uint8Array) => Uint8Array;

  /** `copy` copies delivered frames out of the memory of the engine. */
  constructor(options: ParsedOptions, events: BackendEvents, memory?: object, copy = (bytes: Uint8Array): Uint8Array => bytes.slice()) {
    this.#options = options;
    this.#events = events;
    this.#copy = copy;
    this.#start(memory);
  }

  connect(): void {
    this.#call((engine) => engine.connect());
  }

  publish(subject: string, reply: string | undefined, headers: Uint8Array | undefined, payload: Uint8Array): void {
    this.#call((engine) => engine.publish(subject, reply, headers, payload), subject);
  }

  subscribe(sid: number, subject: string, queue: string | undefined, max: number | undefined): void {
    this.#call((engine) => engine.subscribe(sid, subject, queue, max), subject);
  }

  unsubscribe(sid: number, max: number | undefined): void {
    this.#call((engine) => engine.unsubscribe(sid, max));
  }

  drainSubscription(sid: number, operation: number): void {
    this.#call((engine) => engine.drainSubscription(sid, operation));
  }

  request(operation: number, subject: string, headers: Uint8Array | undefined, payload: Uint8Array, timeoutMs: number): void {
    this.#call((engine) => engine.request(operation, subject, headers, payload, timeoutMs), subject);
  }

  cancelRequest(operation: number): void {
    this.#call((engine) => engine.cancelRequest(operation));
  }

  flush(operation: number): void {
    this.#call((engine) => engine.flush(operation));
  }

  rtt(operation: number): void {
    this.#call((engine) => engine.rtt(operation));
  }

  drain(operation: number): void {
    this.#call((engine) => engine.drain(operation));
  }

  reconnect(): void {
    this.#call((engine) => engine.reconnect());
  }

  setServers(servers: string[]): void {
    this.#call((engine) => engine.setServers(servers));
  }

  hint(kind: Hint): void {
    this.#call((engine) => engine.hint(kind));
  }

  /** Returns the data to keep for the next start: the distances that the engine has measured. */
  memory(): object {
    return this.#call((engine) => engine.memory());
  }

  async snapshot(): Promise<Snapshot> {
    return this.#call((engine) => describe(engine.snapshot(), engine));
  }

  state(): State {
    const { inboxPrefix, maxControlLine } = this.#options.engine;
    return this.#call((engine) => ({ ...stateOf(engine), inboxPrefix, maxControlLine }));
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    try {
      this.#engine?.close();
    } finally {
      this.#engine = undefined;
      this.#instance = undefined;
    }
  }

  #start(memory: object | undefined): void {
    const instance = instantiate(engineModule(), (error) => this.#trapped(instance, error));
    const options: EngineOptions = memory ? { ...this.#options.engine, memory } : this.#options.engine;
    this.#instance = instance;
    try {
      this.#engine = new instance.Engine(options, this.#sink(instance));
    } catch (error) {
      throw converted(error);
    }
  }

  /** Only the present instance is heard: a late word of an old one would be about links that are gone. */
  #sink(instance: EngineInstance): EngineSink {
    const present = (): boolean => instance === this.#instance;
    const state = (): void => {
      if (present() && !this.#isClosed) this.#events.state(this.state());
    };
    return {
      opened: () => {
        state();
        if (present()) this.#events.opened();
      },
      closed: (code, text) => {
        if (!present()) return;
        this.#isClosed = true;
        this.#events.terminated(code, text);
      },
      deliver: (frames) => present() && this.#events.deliver(this.#copy(frames)),
      completed: (operation, code, text, value) => present() && this.#events.completed(operation, code, text, value),
      notice: (notice) => {
        state();
        if (present()) this.#events.notice(withServer(notice));
      },
      authenticate: (link, nonce) => void this.#authenticate(link, nonce),
    };
  }

  async #authenticate(link: number, nonce: string | undefined): Promise<void> {
    const engine = this.#engine;
    try {
      const { credentials, authenticator } = this.#options;
      const answer = credentials ? await sign(credentials, nonce) : await authenticator?.(nonce);
      if (engine === this.#engine) this.#call((present) => present.authenticated(link, answer ?? undefined));
    } catch (error) {
      const text = `the authenticator failed: ${error instanceof Error ? error.message : String(error)}`;
      if (engine === this.#engine && engine) engine.authenticated(link, undefined, text);
    }
  }

  #trapped(instance: EngineInstance, error: WebAssembly.RuntimeError): void {
    if (instance !== this.#instance || this.#isClosed) return;
    instance.discard();
    this.#engine = undefined;
    // Later, because this is inside a call of the engine that is gone.
    queueMicrotask(() => this.#replace(error));
  }

  #replace(error: WebAssembly.RuntimeError): void {
    if (this.#isClosed) return;
    const now = performance.now();
    this.#trapTimes = [...this.#trapTimes.filter((time) => now - time < TRAPS_WINDOW_MS), now];
    const text = `nats-geo's WebAssembly engine failed: ${error.message}`;
    if (this.#trapTimes.length > TRAPS_MAX) {
      this.#isClosed = true;
      this.#events.terminated(Code.Connection, `${text}, for the ${this.#trapTimes.length}th time within a minute`);
      return;
    }
    this.#start(undefined);
    this.#events.notice({ type: "error", code: Code.Connection, text: `${text}; the client starts a new engine` });
    this.connect();
    this.#events.forgotten(text);
  }

  #call<R>(use: (engine: Engine) => R, subject?: string): R {
    if (this.#isClosed) throw new ClosedConnectionError();
    if (!this.#engine) throw new LinkLostError("nats-geo's WebAssembly engine failed, and the client starts a new one; the request may have been executed");
    try {
      return use(this.#engine);
    } catch (error) {
      throw converted(error, subject);
    }
  }
}

/** The engine throws plain errors with a number. */
function converted(error: unknown, subject?: string): unknown {
  if (error instanceof WebAssembly.RuntimeError) return new LinkLostError(`nats-geo's WebAssembly engine failed: ${error.message}`, { cause: error });
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "number" ? errorFromCode(code, (error as Error).message, subject) : error;
}

/** nats-core's statuses name the server. */
function withServer(notice: Notice): Notice {
  const place = (notice["place"] ?? notice["to"]) as EngineServer | undefined;
  return place ? { ...notice, server: place.address } : notice;
}

function stateOf(engine: Engine): State {
  const { live, regions } = engine.snapshot();
  return {
    server: live?.address ?? "",
    info: engine.info(),
    regions: regions.map((region) => region.name),
    servers: regions.flatMap((region) => region.servers.map((server) => server.address)),
  };
}

function describe(snapshot: EngineSnapshot, engine: Engine): Snapshot {
  const { discarded, unconfirmed, resent, denied, moves } = engine.stats();
  return {
    live: snapshot.live?.address,
    liveRegion: snapshot.live?.region,
    standby: snapshot.standby?.address,
    suspect: snapshot.suspect,
    regions: snapshot.regions.map(({ name: region, rtt_ms: rttMs, reason, behind_ms: behindMs, servers }) => ({
      region,
      rttMs,
      reason,
      behindMs,
      servers: servers.map(({ address, name: server, rtt_ms: rttMs, reason, behind_ms: behindMs }) => ({ address, server, rttMs, reason, behindMs })),
    })),
    discarded,
    unconfirmed,
    resent,
    denied,
    moves,
  };
}
