// Worker backend: the service worker as a connection's backend. The page owns its subscriptions; when the worker was
// stopped, which any browser may do at any time, the page greets the next one and says again what it wants.

import type { Authenticator, Snapshot } from "../../types/nats.js";
import type { Backend, BackendEvents } from "../backend.ts";
import type { Deadline } from "../deadline.ts";
import { Code, ConnectionError, InvalidArgumentError } from "../errors.ts";
import type { Hint } from "../engine/types.ts";
import { FrameWriter, Kind } from "../frames.ts";
import type { FromPage, FromWorker, PostedOptions, ToWorker } from "../protocol.ts";
import { Deadlines } from "./deadlines.ts";
import { greet, type Greeting } from "./greeting.ts";

/** A batch of publishes is posted when it has this size, or at the end of the task. */
const BATCH_BYTES = 64 * 1024;
/** What may wait for a worker that is being started. */
const WAITING_BYTES_MAX = 16 * 1024 * 1024;
/** A frame has 16 bits for the bytes of a subject, and a letter has up to three. No server takes as much by default. */
const SUBJECT_MAX = Math.floor(0xffff / 3);
/** Taken bytes are reported in steps: a report per batch would double the messages. */
const REPORT_BYTES = 256 * 1024;
/** Pause before greeting again, doubled each time. */
const RETRY_START_MS = 20;
const RETRY_MAX_MS = 1000;
/** Operations without a time limit of their own have the engine's; this is for when the worker is gone. */
const OPERATION_WAIT_MS = 30_000;
/** A worker that lives answers in about a millisecond. */
const PONG_WAIT_MS = 1000;

export class WorkerBackend implements Backend {
  #scope: string;
  #options: PostedOptions | undefined;
  #authenticator: Authenticator | undefined;
  #events: BackendEvents;
  #greeting: Greeting | undefined;
  #paused: { readonly over: Promise<void>; resume(): void } | undefined;
  #isClosed = false;
  #outbox = new FrameWriter();
  #isFlushing = false;
  #waiting: FromPage[] = [];
  #waitingBytes = 0;
  #takenBytes = 0;
  #reportedBytes = 0;
  #snapshots = new Map<number, { resolve(snapshot: Snapshot): void; reject(error: Error): void }>();
  #lastSnapshot = 0;
  #deadlines = new Deadlines((operation) => this.#events.completed(operation, Code.Timeout, "the service worker did not answer in time"));
  #pongTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(scope: string, options: PostedOptions | undefined, authenticator: Authenticator | undefined, events: BackendEvents) {
    this.#scope = scope;
    this.#options = options;
    this.#authenticator = authenticator;
    this.#events = events;
  }

  /** Greets each new worker until the connection closes. Rejects if the first greeting finds no worker of nats-geo. */
  async start(deadline: Deadline): Promise<void> {
    const first = await this.#greet(deadline.left());
    void this.#keepGreeting(first);
  }

  publish(subject: string, reply: string | undefined, headers: Uint8Array | undefined, payload: Uint8Array): void {
    if (!this.#greeting && this.#waitingBytes + payload.byteLength > WAITING_BYTES_MAX) {
      throw new ConnectionError(`${WAITING_BYTES_MAX} bytes already wait for the service worker: publish later`);
    }
    if (subject.length > SUBJECT_MAX || (reply?.length ?? 0) > SUBJECT_MAX) throw new InvalidArgumentError(`a subject has more than ${SUBJECT_MAX} letters`);
    this.#outbox.write({ kind: Kind.Publish, id: 0, subject, reply, headers, payload });
    if (this.#outbox.byteLength >= BATCH_BYTES) return this.#flushOutbox();
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    queueMicrotask(() => this.#flushOutbox());
  }

  subscribe(sid: number, subject: string, queue: string | undefined, max: number | undefined): void {
    this.#post(["subscribe", sid, subject, queue, max]);
  }

  unsubscribe(sid: number, max: number | undefined): void {
    this.#post(["unsubscribe", sid, max]);
  }

  drainSubscription(sid: number, operation: number): void {
    this.#operate(operation, OPERATION_WAIT_MS, ["drainSubscription", sid, operation]);
  }

  request(operation: number, subject: string, headers: Uint8Array | undefined, payload: Uint8Array, timeoutMs: number): void {
    this.#operate(operation, timeoutMs, ["request", operation, subject, headers, payload, timeoutMs]);
  }

  cancelRequest(operation: number): void {
    this.#deadlines.met(operation);
    this.#post(["cancelRequest", operation]);
  }

  flush(operation: number): void {
    this.#operate(operation, OPERATION_WAIT_MS, ["flush", operation]);
  }

  rtt(operation: number): void {
    this.#operate(operation, OPERATION_WAIT_MS, ["rtt", operation]);
  }

  drain(operation: number): void {
    // The connection limits it, and the loss of the worker ends it.
    this.#post(["drain", operation]);
  }

  reconnect(): void {
    this.#post(["reconnect"]);
  }

  setServers(servers: string[]): void {
    this.#post(["setServers", servers]);
  }

  snapshot(): Promise<Snapshot> {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastSnapshot;
      this.#snapshots.set(id, { resolve, reject });
      this.#post(["snapshot", id]);
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#flushOutbox();
    this.#post(["close"]);
    this.#isClosed = true;
    this.#greeting?.end();
    this.resume();
    this.#drop(new ConnectionError("the connection is closed", { code: "CLOSED" }));
  }

  hint(kind: Hint): void {
    const client = this.#greeting?.client;
    if (client === undefined) return;
    this.#tell({ natsGeo: "hint", client, kind });
    if (kind === "visible" || kind === "resumed") this.#verify();
  }

  /** Keeps the worker awake in Firefox, where an open response does not. */
  beat(): void {
    this.#tell({ natsGeo: "beat" });
  }

  /** Handles a new version of the worker, which has replaced the old one. */
  controllerChanged(): void {
    this.#greeting?.end();
  }

  /**
   * Handles that the user leaves the page. The page may come back from the browser's page cache, which takes no page with a
   * connection. So this call ends the connection to the worker.
   */
  pause(): void {
    if (this.#paused) return;
    let resume!: () => void;
    const over = new Promise<void>((resolve) => (resume = resolve));
    this.#paused = { over, resume };
    this.#greeting?.end();
  }

  /** Handles that the page comes back: it greets the worker again. */
  resume(): void {
    this.#paused?.resume();
    this.#paused = undefined;
  }

  #tell(message: ToWorker): void {
    navigator.serviceWorker.controller?.postMessage(message);
  }

  /** A page that slept may have missed the end of its worker. */
  #verify(): void {
    const greeting = this.#greeting;
    clearTimeout(this.#pongTimer);
    this.#pongTimer = setTimeout(() => greeting?.end(), PONG_WAIT_MS);
    this.#post(["ping"]);
  }

  async #greet(limitMs?: number): Promise<Greeting> {
    const greeting = await greet(this.#scope, this.#options, (message) => this.#take(message), limitMs);
    if (this.#isClosed) greeting.end();
    this.#greeting = greeting;
    for (const message of this.#waiting.splice(0)) greeting.post(message);
    this.#waitingBytes = 0;
    return greeting;
  }

  async #keepGreeting(first: Greeting): Promise<void> {
    let retryMs = RETRY_START_MS;
    for (let greeting: Greeting | undefined = first; !this.#isClosed; ) {
      if (greeting) {
        await greeting.lost;
        if (this.#isClosed) return;
        this.#lost();
        retryMs = RETRY_START_MS;
      }
      await this.#paused?.over;
      if (this.#isClosed) return;
      greeting = await this.#greet().catch(() => undefined);
      if (greeting) this.#events.notice({ type: "worker", state: "attached" });
      else await new Promise((resolve) => setTimeout(resolve, retryMs));
      retryMs = Math.min(retryMs * 2, RETRY_MAX_MS);
    }
  }

  #lost(): void {
    this.#greeting = undefined;
    this.#takenBytes = this.#reportedBytes = 0;
    const text = "the browser stopped the service worker: requests in flight may have been executed";
    this.#drop(new ConnectionError(text));
    this.#events.notice({ type: "worker", state: "lost" });
    this.#events.notice({ type: "disconnect" });
    this.#events.forgotten(text);
  }

  #drop(error: Error): void {
    this.#deadlines.clear();
    clearTimeout(this.#pongTimer);
    for (const { reject } of this.#snapshots.values()) reject(error);
    this.#snapshots.clear();
  }

  #operate(operation: number, waitMs: number, message: FromPage): void {
    this.#deadlines.set(operation, waitMs);
    this.#post(message);
  }

  /** In the order of the calls, publishes included. */
  #post(message: FromPage): void {
    if (this.#isClosed) return;
    if (message[0] !== "publishAll") this.#flushOutbox();
    const size = message[0] === "publishAll" ? message[1].byteLength : 0;
    if (this.#greeting) return this.#greeting.post(message, size > 0 ? [(message[1] as Uint8Array<ArrayBuffer>).buffer] : []);
    this.#waiting.push(message);
    this.#waitingBytes += size;
  }

  #flushOutbox(): void {
    this.#isFlushing = false;
    if (this.#outbox.byteLength > 0) this.#post(["publishAll", this.#outbox.take()]);
  }

  #take(message: FromWorker): void {
    if (this.#isClosed) return;
    const events = this.#events;
    switch (message[0]) {
      case "deliver":
        return this.#deliver(message[1]);
      case "completed":
        this.#deadlines.met(message[1]);
        return events.completed(message[1], message[2], message[3], message[4]);
      case "terminated":
        this.#isClosed = true;
        this.#greeting?.end();
        this.#drop(new ConnectionError("the connection is closed", { code: "CLOSED" }));
        return events.terminated(message[1], message[2]);
      case "forgotten":
        this.#deadlines.clear();
        return events.forgotten(message[1]);
      case "opened":
        return events.opened();
      case "notice":
        return events.notice(message[1]);
      case "state":
        return events.state(message[1]);
      case "snapshotTaken":
        return this.#snapshotTaken(message[1], message[2]);
      case "authenticate":
        return void this.#authenticate(message[1], message[2]);
      case "pong":
        return clearTimeout(this.#pongTimer);
    }
  }

  #deliver(frames: Uint8Array): void {
    this.#takenBytes += frames.byteLength;
    this.#events.deliver(frames);
    if (this.#takenBytes - this.#reportedBytes < REPORT_BYTES) return;
    this.#reportedBytes = this.#takenBytes;
    this.#post(["taken", this.#takenBytes]);
  }

  #snapshotTaken(id: number, snapshot: Snapshot | undefined): void {
    const waiting = this.#snapshots.get(id);
    this.#snapshots.delete(id);
    if (snapshot) waiting?.resolve(snapshot);
    else waiting?.reject(new ConnectionError("the service worker has no connection"));
  }

  async #authenticate(question: number, nonce: string | undefined): Promise<void> {
    try {
      this.#post(["authenticated", question, await this.#authenticator?.(nonce)]);
    } catch (error) {
      this.#post(["authenticated", question, undefined, error instanceof Error ? error.message : String(error)]);
    }
  }
}
