// Subscription: the messages of one interest, by iterator or callback.

import type { Msg, Subscription, SubscriptionOptions } from "../types/nats.js";
import { InvalidOperationError, TimeoutError } from "./errors.ts";
import { Queue } from "./queue.ts";

/**
 * What may wait in one iterator before messages are dropped and a `slowConsumer` status says so: nats.go's limits.
 * A WebSocket has no back-pressure, so the alternative is a tab that runs out of memory.
 */
export const PENDING_MESSAGES_MAX = 524_288;
export const PENDING_BYTES_MAX = 64 * 1024 * 1024;

/** What a subscription asks of its connection. */
export interface SubscriptionOwner {
  limit(subscription: SubscriptionImpl, max: number): void;
  /** Resolves when no message is under way any more. */
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
  #messages: Queue<Msg>;
  #resolveClosed!: (error: void | Error) => void;
  #ended = false;
  #draining: Promise<void> | undefined;
  #max: number | undefined;
  #received = 0;
  #processed = 0;
  #pendingBytes = 0;
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
    this.#messages = new Queue<Msg>(() => this.unsubscribe(), (message) => this.#took(message));
    if (options.timeout !== undefined) {
      const late = () => this.end(new TimeoutError(`no message on ${subject} within ${options.timeout} ms`));
      this.#firstMessageTimer = setTimeout(late, options.timeout);
    }
  }

  /** Hands a message over. */
  deliver(message: Msg): void {
    if (this.#ended) return;
    if (this.#received === 0) clearTimeout(this.#firstMessageTimer);
    this.#received += 1;
    if (this.#options.callback) {
      this.#processed += 1;
      this.#call(null, message);
    } else {
      this.#enqueue(message);
    }
    if (this.#max !== undefined && this.#received >= this.#max) this.end();
  }

  /** Ends the subscription; messages that wait are still handed over. */
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
    this.#draining ??= this.#owner.drainSubscription(this).finally(() => this.end());
    return this.#draining;
  }

  isDraining = (): boolean => this.#draining !== undefined;
  isClosed = (): boolean => this.#ended;
  getSubject = (): string => this.subject;
  getReceived = (): number => this.#received;
  getProcessed = (): number => this.#processed;
  getPending = (): number => this.#messages.pending;
  getID = (): number => this.sid;
  getMax = (): number | undefined => this.#max;

  [Symbol.asyncIterator](): AsyncIterator<Msg> {
    if (this.#options.callback) throw new InvalidOperationError("a subscription with a callback has no iterator");
    return this.#messages;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }

  #enqueue(message: Msg): void {
    const pending = this.#messages.pending;
    if (pending >= PENDING_MESSAGES_MAX || this.#pendingBytes > PENDING_BYTES_MAX) {
      this.#reportSlow("dropped");
      return;
    }
    if (this.#options.slow !== undefined && pending >= this.#options.slow) this.#reportSlow("slow");
    this.#pendingBytes += message.data.byteLength;
    this.#messages.push(message);
  }

  /** Once per time of slowness, and once more when messages are dropped: a status each would only add to the load. */
  #reportSlow(how: "slow" | "dropped"): void {
    if (this.#told === how || this.#told === "dropped") return;
    this.#told = how;
    this.#owner.slow(this, how === "dropped");
  }

  #took(message: Msg): void {
    this.#processed += 1;
    this.#pendingBytes -= message.data.byteLength;
    if (this.#messages.pending === 0) {
      this.#told = "";
      this.#pendingBytes = 0;
    }
  }

  #call(error: Error | null, message: Msg): void {
    try {
      this.#options.callback?.(error, message);
    } catch (thrown) {
      // The user's bug must not stop the other subscriptions of the batch, and must not be silent.
      queueMicrotask(() => {
        throw thrown;
      });
    }
  }
}
