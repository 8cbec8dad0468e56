// Connection: nats-core's `NatsConnection` over a backend. The same class serves the page, with the service worker as
// its backend, and the realm that holds the engine.

import type { Msg, NatsConnection, Payload, PublishOptions, RequestManyOptions, RequestOptions, Server, ServerInfo, Snapshot, Stats, Status, Subscription, SubscriptionOptions } from "../types/nats.js";
import { NO_STATE, type Backend, type BackendEvents, type Notice, type State } from "./backend.ts";
import { Deadline, limited } from "./deadline.ts";
import { ClosedConnectionError, Code, DrainingConnectionError, InvalidArgumentError, InvalidSubjectError, PayloadTooLargeError, PermissionViolationError, ProtocolError, SlowConsumerError, TimeoutError, errorFromCode } from "./errors.ts";
import { FLAG_NO_RESPONDERS, Kind, decodeFrame, forEachFrame, type Frame } from "./frames.ts";
import { encodeHeaders } from "./headers.ts";
import { isSubject } from "./inbox.ts";
import { MsgImpl, toBytes } from "./message.ts";
import { checkLimit, parseServers } from "./options.ts";
import { Queue } from "./queue.ts";
import { requestMany } from "./request-many.ts";
import { SubscriptionImpl, type SubscriptionOwner } from "./subscription.ts";

/** nats-core's default. */
const REQUEST_TIMEOUT_DEFAULT_MS = 20_000;
/** A status iterator that nobody reads keeps only the latest: what happened long ago is in the snapshot. */
const STATUS_PENDING_MAX = 1024;

/** As in other NATS clients: longer than most requests wait for their answers. */
const DRAIN_TIMEOUT_DEFAULT_MS = 30_000;
/** nats-server's default for `max_control_line`. */
const CONTROL_LINE_MAX = 4096;
/** Two blanks and two numbers, beside the names of a line. */
const NUMBERS_BYTES = 42;
/** Enough to recognise a name. */
const SHOWN_LETTERS = 48;

/** Something asked of the backend that has not been answered. */
interface Operation {
  subject: string;
  resolve(value: Frame | number | undefined): void;
  reject(error: Error): void;
}

export class Connection implements NatsConnection, BackendEvents, SubscriptionOwner {
  readonly mode: "worker" | "page";
  readonly drainTimeoutMs: number;
  /** Resolves when the first link is live, and rejects if the client cannot connect. */
  readonly ready: Promise<void>;
  #backend!: Backend;
  #checkedSubject: string | undefined;
  #state: State = NO_STATE;
  #subscriptions = new Map<number, SubscriptionImpl>();
  #operations = new Map<number, Operation>();
  #lastId = 0;
  #statuses = new Set<Queue<Status>>();
  #stats = { inMsgs: 0, outMsgs: 0, inBytes: 0, outBytes: 0, unreadable: 0 };
  #draining: Promise<void> | undefined;
  #isClosed = false;
  #resolveReady!: () => void;
  #rejectReady!: (error: Error) => void;
  #closed: Promise<void | Error>;
  #resolveClosed!: (error: void | Error) => void;

  constructor(mode: "worker" | "page", drainTimeoutMs = DRAIN_TIMEOUT_DEFAULT_MS) {
    this.mode = mode;
    this.drainTimeoutMs = drainTimeoutMs;
    this.#closed = new Promise((resolve) => (this.#resolveClosed = resolve));
    this.ready = new Promise((resolve, reject) => {
      this.#resolveReady = resolve;
      this.#rejectReady = reject;
    });
    this.ready.catch(() => {});
  }

  /** Sets the backend. A backend reports events to the connection, so the application must create the connection first. */
  attach(backend: Backend): void {
    this.#backend = backend;
  }

  get info(): ServerInfo | undefined {
    return this.#state.info;
  }

  get inboxPrefix(): string | undefined {
    return this.#state.inboxPrefix;
  }

  get regions(): readonly string[] {
    return this.#state.regions;
  }

  publish(subject: string, payload?: Payload, options: PublishOptions = {}): void {
    // Whoever drains still answers what it was asked.
    this.#mayOperate(true);
    const data = this.#checked(subject, payload);
    const reply = options.reply || undefined;
    if (reply !== undefined && !isSubject(reply, false)) throw new InvalidSubjectError(reply);
    this.#mayName(subject, reply);
    const block = encodeHeaders(options.headers);
    this.#mayCarry(data.byteLength + (block?.byteLength ?? 0));
    this.#backend.publish(subject, reply, block, data);
    this.#count(data);
  }

  publishMessage(message: Pick<Msg, "subject" | "data" | "reply" | "headers">): void {
    this.publish(message.subject, message.data, { reply: message.reply, headers: message.headers });
  }

  respondMessage(message: Pick<Msg, "data" | "reply" | "headers">): boolean {
    if (!message.reply) return false;
    this.publish(message.reply, message.data, { headers: message.headers });
    return true;
  }

  subscribe(subject: string, options: SubscriptionOptions = {}): Subscription {
    this.#mayOperate();
    if (!isSubject(subject, true)) throw new InvalidSubjectError(subject);
    if (options.queue !== undefined && !isSubject(options.queue, false)) throw new InvalidSubjectError(options.queue);
    this.#mayName(subject, options.queue);
    const { max, queue, timeout } = options;
    checkLimit("max", max);
    checkLimit("timeout", timeout);
    checkLimit("maxPendingBytes", options.maxPendingBytes);
    if (max !== undefined && max % 1 > 0) throw new InvalidArgumentError(`max is ${max}: it must be a whole number`);
    const sid = ++this.#lastId;
    // Nothing is delivered, and no timer runs, for what the backend refuses.
    this.#backend.subscribe(sid, subject, queue, max);
    const subscription = new SubscriptionImpl(this, sid, subject, options);
    this.#subscriptions.set(sid, subscription);
    return subscription;
  }

  async request(subject: string, payload?: Payload, options: RequestOptions = {}): Promise<Msg> {
    this.#mayOperate();
    const data = this.#checked(subject, payload);
    this.#mayName(subject);
    const block = encodeHeaders(options.headers);
    this.#mayCarry(data.byteLength + (block?.byteLength ?? 0));
    const timeout = options.timeout ?? REQUEST_TIMEOUT_DEFAULT_MS;
    checkLimit("timeout", timeout);
    this.#count(data);
    const frame = await this.#operate((id) => this.#backend.request(id, subject, block, data, timeout), subject);
    return new MsgImpl(this, frame as Frame, 0);
  }

  async requestMany(subject: string, payload?: Payload, options: RequestManyOptions = {}): Promise<AsyncIterable<Msg>> {
    return requestMany(this, subject, payload, options);
  }

  async flush(): Promise<void> {
    this.#mayOperate(true);
    await this.#operate((id) => this.#backend.flush(id));
  }

  async rtt(): Promise<number> {
    this.#mayOperate(true);
    return (await this.#operate((id) => this.#backend.rtt(id))) as number;
  }

  async drain(): Promise<void> {
    this.#mayOperate();
    this.#draining = this.#drain();
    try {
      await this.#draining;
    } finally {
      await this.close();
    }
  }

  /** Subscriptions first, whose handlers may still ask and answer; then what was asked and published. */
  async #drain(): Promise<void> {
    const deadline = new Deadline(this.drainTimeoutMs);
    const late = (): Error => new TimeoutError(`the connection was not drained within ${this.drainTimeoutMs} ms: the client dropped the messages and requests under way`);
    await limited(Promise.all([...this.#subscriptions.values()].map((one) => one.drain())), deadline.left(), late);
    await limited(this.#operate((id) => this.#backend.drain(id)), deadline.left(), late);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#backend.close();
    this.#end();
  }

  closed(): Promise<void | Error> {
    return this.#closed;
  }

  isClosed(): boolean {
    return this.#isClosed;
  }

  isDraining(): boolean {
    return this.#draining !== undefined;
  }

  getServer(): string {
    return this.#state.server;
  }

  getServers(): readonly Server[] {
    return this.#state.servers.map((listen) => {
      const colon = listen.lastIndexOf(":");
      return { listen, hostname: listen.slice(0, colon), port: Number(listen.slice(colon + 1)) };
    });
  }

  setServers(servers: string[]): void {
    this.#mayOperate();
    this.#backend.setServers(parseServers(servers));
  }

  async reconnect(): Promise<void> {
    this.#mayOperate();
    this.#backend.reconnect();
  }

  async snapshot(): Promise<Snapshot> {
    if (this.#isClosed) throw new ClosedConnectionError();
    return this.#backend.snapshot();
  }

  stats(): Stats {
    return { ...this.#stats };
  }

  status(): AsyncIterable<Status> {
    const statuses: Queue<Status> = new Queue(() => this.#statuses.delete(statuses));
    if (this.#isClosed) statuses.end();
    else this.#statuses.add(statuses);
    return statuses;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#draining) await this.#draining.catch(() => {});
    else if (!this.#isClosed) await this.drain();
  }

  // What the backend tells.

  opened(): void {
    this.#resolveReady();
  }

  terminated(code: number, text?: string): void {
    if (!this.#isClosed) this.#end(code === Code.Ok ? undefined : errorFromCode(code, text));
  }

  forgotten(text: string): void {
    for (const id of [...this.#operations.keys()]) this.completed(id, Code.LinkLost, text);
    for (const subscription of [...this.#subscriptions.values()]) {
      const { sid, subject, queue } = subscription;
      const max = subscription.getMax();
      this.#backend.subscribe(sid, subject, queue, max === undefined ? undefined : max - subscription.getReceived());
    }
  }

  deliver(frames: Uint8Array): void {
    forEachFrame(frames, (offset, _length, view) => this.#take(decodeFrame(frames, view, offset)));
  }

  completed(operation: number, code: number, text?: string, value?: number): void {
    const waiting = this.#operations.get(operation);
    if (!waiting) return;
    this.#operations.delete(operation);
    if (code === Code.Ok) waiting.resolve(value);
    else waiting.reject(errorFromCode(code, text, waiting.subject));
  }

  notice(notice: Notice): void {
    if (notice.type !== "error") return this.#emit(notice);
    const error = errorFromCode(notice.code ?? 0, notice.text);
    // The server names the subject and not the subscription.
    const isDenied = (one: SubscriptionImpl): boolean =>
      error instanceof PermissionViolationError && error.operation === "subscription" && one.subject === error.subject && one.queue === error.queue;
    for (const one of [...this.#subscriptions.values()]) if (one.sid === notice.sid || isDenied(one)) one.end(error);
    this.#emit({ type: "error", error });
  }

  state(state: State): void {
    this.#state = state;
  }

  /** Counts a message with headers that the client cannot read. Only the first such message causes a status. */
  unreadable(subject: string): void {
    this.#stats.unreadable += 1;
    if (this.#stats.unreadable > 1) return;
    const text = `the headers of a message to \`${subject}\` cannot be read, because they are damaged: correct its publisher; stats() counts the others`;
    this.#emit({ type: "unreadableMessage", subject, text });
    this.#emit({ type: "error", error: new ProtocolError(text) });
  }

  // What subscriptions ask.

  limit(subscription: SubscriptionImpl, max: number): void {
    if (!this.#isClosed) this.#backend.unsubscribe(subscription.sid, max);
  }

  async drainSubscription(subscription: SubscriptionImpl): Promise<void> {
    this.#mayOperate(true);
    await this.#operate((id) => this.#backend.drainSubscription(subscription.sid, id), subscription.subject);
  }

  ended(subscription: SubscriptionImpl): void {
    this.#subscriptions.delete(subscription.sid);
    // Also when the backend ended it: it may not know that nobody waits any more, and knowing twice does no harm.
    if (!this.#isClosed) this.#backend.unsubscribe(subscription.sid, undefined);
  }

  slow(subscription: SubscriptionImpl, dropped: boolean): void {
    const text = `the application reads subscription \`${subscription.subject}\` too slowly: ${subscription.getPending()} messages wait${dropped ? ", and the client drops the newest" : ""}`;
    this.#emit({ type: "slowConsumer", sub: subscription, pending: subscription.getPending(), dropped, error: new SlowConsumerError(text) });
  }

  #take(frame: Frame): void {
    this.#stats.inMsgs += 1;
    this.#stats.inBytes += frame.payload.byteLength;
    if (frame.kind === Kind.Message) {
      const subscription = this.#subscriptions.get(frame.id);
      return subscription?.deliver(new MsgImpl(this, frame, subscription.sid));
    }
    const waiting = this.#operations.get(frame.id);
    if (!waiting) return;
    this.#operations.delete(frame.id);
    if (frame.flags & FLAG_NO_RESPONDERS) waiting.reject(errorFromCode(Code.NoResponders, undefined, waiting.subject));
    else waiting.resolve(frame);
  }

  /** Asks the backend for something that is answered later. */
  #operate(ask: (id: number) => void, subject = ""): Promise<Frame | number | undefined> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#operations.set(id, { subject, resolve, reject });
      try {
        ask(id);
      } catch (error) {
        this.#operations.delete(id);
        throw error;
      }
    });
  }

  #end(error?: Error): void {
    this.#isClosed = true;
    const cause = error ?? new ClosedConnectionError();
    this.#rejectReady(cause);
    for (const operation of this.#operations.values()) operation.reject(new ClosedConnectionError(undefined, { cause: error }));
    this.#operations.clear();
    for (const subscription of [...this.#subscriptions.values()]) subscription.end(error);
    this.#emit({ type: "close" });
    for (const statuses of this.#statuses) statuses.end();
    this.#statuses.clear();
    this.#state = NO_STATE;
    this.#resolveClosed(error);
  }

  #emit(status: Status): void {
    for (const statuses of this.#statuses) {
      if (statuses.pending >= STATUS_PENDING_MAX) void statuses.next();
      statuses.push(status);
    }
  }

  #mayOperate(whileDraining = false): void {
    if (this.#isClosed) throw new ClosedConnectionError();
    if (this.#draining && !whileDraining) throw new DrainingConnectionError();
  }

  #checked(subject: string, payload: Payload | undefined): Uint8Array {
    // Most publish to the same subject again and again, and the check costs as much as the rest of it.
    if (subject !== this.#checkedSubject) {
      if (!isSubject(subject, false)) throw new InvalidSubjectError(subject);
      this.#checkedSubject = subject;
    }
    if (payload !== undefined && typeof payload !== "string" && !(payload instanceof Uint8Array)) {
      throw new InvalidArgumentError(`the payload of \`${subject}\` must be a string or a Uint8Array`);
    }
    return toBytes(payload);
  }

  /** A server closes the connection for a line that is too long, and so does the next one. */
  #mayName(name: string, other = ""): void {
    const limit = this.#state.maxControlLine ?? CONTROL_LINE_MAX;
    // A letter has up to three bytes, and most names are far shorter.
    if (3 * (name.length + other.length) + NUMBERS_BYTES <= limit) return;
    const bytes = toBytes(name + other).byteLength + NUMBERS_BYTES;
    if (bytes <= limit) return;
    const longer = (name.length < other.length ? other : name).slice(0, SHOWN_LETTERS);
    const message = `\`${longer}...\` makes a protocol line of up to ${bytes} bytes, more than the ${limit} that servers read: shorten it, or set \`maxControlLine\` if all servers read more`;
    throw new InvalidSubjectError(name, { message });
  }

  #mayCarry(bytes: number): void {
    const most = this.info?.max_payload;
    if (most !== undefined && bytes > most) throw new PayloadTooLargeError(`the payload has ${bytes} bytes with its headers, and the server accepts ${most}: split it, or use an object store`);
  }

  #count(data: Uint8Array): void {
    this.#stats.outMsgs += 1;
    this.#stats.outBytes += data.byteLength;
  }
}
