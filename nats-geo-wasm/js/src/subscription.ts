// Subscription: the messages of one interest, by iterator or callback.

import type { Msg, Subscription, SubscriptionOptions } from "../types/nats.js";
import { Answers } from "./answers.ts";
import { limited } from "./deadline.ts";
import { InvalidOperationError, TimeoutError } from "./errors.ts";
import type { MsgImpl } from "./message.ts";
import { Queue } from "./queue.ts";

/**
 * Largest number of messages that wait in one iterator. The client drops further messages, and emits the status
 * `slowConsumer`. The limits are those of nats.go. A WebSocket has no back-pressure, so without a limit the tab would run
 * out of memory.
 */
export const PENDING_MESSAGES_MAX = 524_288;
export const PENDING_BYTES_MAX = 64 * 1024 * 1024;

/** The functions of a connection that its subscriptions use. */
export interface SubscriptionOwner {
  /** Milliseconds that a drain waits for messages and requests in flight. */
  readonly drainTimeoutMs: number;
  limit(subscription: SubscriptionImpl, max: number): void;
  /** Resolves when no message of the subscription is in flight. */
  drainSubscription(subscription: SubscriptionImpl): Promise<void>;
  ended(subscription: SubscriptionImpl): void;
  slow(subscription: SubscriptionImpl, dropped: boolean): void;
}

export class SubscriptionImpl implements Subscription {
  readonly closed: Promise<void | Error>;
  readonly sid: number;
  readonly subject: string;
  readonly queue: string | undefined;
  #owner: SubscriptionOwner;
  #options: SubscriptionOptions;
  #messages: Queue<MsgImpl>;
  #answers = new Answers();
  /** The message that the iterator's reader works on; null before the first one was asked for. */
  #read: MsgImpl | null | undefined = null;
  #resolveClosed!: (error: void | Error) => void;
  #ended = false;
  #draining: Promise<void> | undefined;
  #max: number | undefined;
  #received = 0;
  #processed = 0;
  #pendingBytes = 0;
  #dropped = 0;
  #told: "" | "slow" | "dropped" = "";
  #firstMessageTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(owner: SubscriptionOwner, sid: number, subject: string, options: SubscriptionOptions) {
    this.#owner = owner;
    this.#options = options;
    this.sid = sid;
    this.subject = subject;
    this.queue = options.queue;
    this.#max = options.max;
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve));
    this.#messages = new Queue<MsgImpl>(() => this.unsubscribe(), (message) => this.#took(message), () => this.#isDone());
    if (options.timeout !== undefined) {
      const late = () => this.end(new TimeoutError(`no message on ${subject} within ${options.timeout} ms`));
      this.#firstMessageTimer = setTimeout(late, options.timeout);
    }
  }

  /** Passes a message to the handler or to the iterator. */
  deliver(message: MsgImpl): void {
    if (this.#ended) return;
    if (this.#received === 0) clearTimeout(this.#firstMessageTimer);
    this.#received += 1;
    if (this.#options.callback) {
      this.#processed += 1;
      this.#handle(message);
    } else {
      this.#enqueue(message);
    }
    if (this.#max !== undefined && this.#received >= this.#max) this.end();
  }

  /** Ends the subscription. The reader still gets the messages that wait. */
  end(error?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#firstMessageTimer);
    // As in nats-core, whose type promises a message: one without anything.
    if (error && this.#options.callback) this.#call(error, {} as Msg);
    this.#messages.end(error);
    this.#resolveClosed(error);
    // Last, because the backend may fail.
    this.#owner.ended(this);
  }

  unsubscribe(max?: number): void {
    if (this.#ended) return;
    if (max !== undefined && max > this.#received) {
      this.#max = max;
      this.#owner.limit(this, max);
      return;
    }
    this.#messages.stop();
    this.end();
  }

  drain(): Promise<void> {
    if (this.#ended) return Promise.resolve();
    this.#draining ??= this.#drain().finally(() => this.end());
    return this.#draining;
  }

  /** Nothing more comes in; then, in bounds of time, requests that handlers work on are answered. */
  async #drain(): Promise<void> {
    await this.#owner.drainSubscription(this);
    // A handler that reads nothing answers nothing.
    if (this.#read === null && !this.#options.callback) return;
    await limited(this.#answers.settled(), this.#owner.drainTimeoutMs, (ms) => new TimeoutError(`requests on ${this.subject} were not answered within ${ms} ms`));
  }

  isDraining = (): boolean => this.#draining !== undefined;
  isClosed = (): boolean => this.#ended;
  getSubject = (): string => this.subject;
  getReceived = (): number => this.#received;
  getProcessed = (): number => this.#processed;
  getPending = (): number => this.#messages.pending;
  getDropped = (): number => this.#dropped;
  getID = (): number => this.sid;
  getMax = (): number | undefined => this.#max;

  [Symbol.asyncIterator](): AsyncIterator<Msg> {
    if (this.#options.callback) throw new InvalidOperationError("a subscription with a callback has no iterator");
    return this.#messages;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }

  #enqueue(message: MsgImpl): void {
    const pending = this.#messages.pending;
    const size = sizeOf(message);
    // One that is larger than the bound still gets through when nothing else waits.
    const isTooMuch = pending > 0 && this.#pendingBytes + size > (this.#options.maxPendingBytes ?? PENDING_BYTES_MAX);
    if (pending >= PENDING_MESSAGES_MAX || isTooMuch) {
      this.#dropped += 1;
      this.#reportSlow("dropped");
      return;
    }
    if (this.#options.slow !== undefined && pending >= this.#options.slow) this.#reportSlow("slow");
    this.#pendingBytes += size;
    this.#awaitAnswer(message);
    this.#messages.push(message);
  }

  /** Once per time of slowness, and once more when messages are dropped: a status each would only add to the load. */
  #reportSlow(how: "slow" | "dropped"): void {
    if (this.#told === how || this.#told === "dropped") return;
    this.#told = how;
    this.#owner.slow(this, how === "dropped");
  }

  #awaitAnswer(message: MsgImpl): void {
    // A message of a stream is acknowledged, not answered.
    if (!message.reply || message.reply.startsWith("$JS.")) return;
    this.#answers.begin(message);
    message.onAnswered = () => this.#answers.end(message);
  }

  /** The iterator's reader is done with the message before. */
  #isDone(): void {
    if (this.#read) this.#answers.end(this.#read);
    this.#read = undefined;
  }

  #took(message: MsgImpl): void {
    this.#isDone();
    this.#read = message;
    this.#processed += 1;
    this.#pendingBytes -= sizeOf(message);
    if (this.#messages.pending === 0) {
      this.#told = "";
      this.#pendingBytes = 0;
    }
  }

  /** A handler that returns a promise works until that settles. */
  #handle(message: MsgImpl): void {
    this.#awaitAnswer(message);
    const work = this.#call(null, message);
    const done = (): void => this.#answers.end(message);
    if (work instanceof Promise) void work.then(done, done);
    else done();
  }

  #call(error: Error | null, message: Msg): unknown {
    try {
      return this.#options.callback?.(error, message);
    } catch (thrown) {
      // The user's bug must not stop the other subscriptions of the batch, and must not be silent.
      queueMicrotask(() => {
        throw thrown;
      });
    }
  }
}

/** What a message that waits holds, about: its subject and its object beside its data. */
function sizeOf(message: MsgImpl): number {
  return message.data.byteLength + message.subject.length + MESSAGE_BYTES;
}

const MESSAGE_BYTES = 200;
