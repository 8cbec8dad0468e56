// Pull: reads a stream in order through an ephemeral consumer that is asked for a bounded batch at a time. When the
// consumer, the link or the region is lost, another one continues after the last message that came.

import type { Pulled } from "../types/jetstream.js";
import type { Msg, Status, Subscription } from "../types/nats.js";
import type { BackendEvents } from "./backend.ts";
import { delay } from "./delay.ts";
import { JetStreamApiError, JetStreamError, NatsError, PermissionViolationError } from "./errors.ts";
import { createInbox, randomToken } from "./inbox.ts";
import { JetStreamApi } from "./jetstream.ts";

/**
 * Messages and bytes of one pull: what may come in unasked when the reader stops reading. The bytes are foreseen, from the
 * largest message so far. The server has a limit for them, `max_bytes`; but a message that exceeds it is never sent, and
 * nats-server 2.15.1 skips it when the consumer delivers the last of each subject.
 */
const BATCH_MESSAGES_MAX = 100;
const BATCH_BYTES = 256 * 1024;
/** Before the first message has come. */
const BATCH_MESSAGES_START = 16;
/** How long one pull waits at the server. Long, because asking again costs a round trip. */
const EXPIRES_MS = 30_000;
/** The server says this often that the consumer lives; two missed in a row mean that it does not. */
const HEARTBEAT_MS = 5000;
/** The server forgets a consumer whose client has gone. */
const INACTIVE_MS = 60_000;
/** Pause between attempts to make another consumer. */
const RECOVER_WAIT_MS = 250;
/**
 * A refusal ends the reading only if it is still there after this time. A leader that has just taken over may know less than it
 * will in a moment, and a stream that is reset is deleted before it is created again. Rust waits for as long (`GONE_FOR`).
 */
const GONE_MS = 1000;
const NANOS_PER_MS = 1_000_000;

export interface PullOptions {
  readonly filters: readonly string[];
  readonly deliver: "last_per_subject" | "all" | "new";
  readonly headersOnly?: boolean;
  /** Whether to end when all messages that existed at the start have arrived. */
  readonly untilCaughtUp?: boolean;
}

/** A message with its position in the stream. */
export interface StreamMessage {
  readonly message: Msg;
  readonly seq: number;
  readonly time: Date;
  /** Number of later messages that match the filters. */
  readonly pending: number;
}

interface ConsumerCreated {
  readonly name: string;
  readonly num_pending: number;
  /** Before anything was delivered: what precedes its start. */
  readonly delivered: { readonly stream_seq: number };
}

/** What the reply subject of a stored message begins with. */
const PLACE_PREFIX = "$JS.ACK.";

/** Begins to read. Fails if the stream does not exist. `isEmpty`: at the start, the stream has no message that matches. */
export async function pull(api: JetStreamApi, stream: string, options: PullOptions): Promise<{ messages: Pulled<StreamMessage>; isEmpty: boolean }> {
  const reader = new Reader(api, stream, options);
  const pending = await reader.createConsumer();
  return { messages: reader.read(pending), isEmpty: pending === 0 };
}

class Reader {
  #api: JetStreamApi;
  #stream: string;
  #options: PullOptions;
  #consumer = "";
  #consumerSeq = 0;
  /** Where the next consumer begins; undefined while that is a matter of the policy. */
  #nextSeq: number | undefined;
  /** When the last message that was read was stored. */
  #lastTime: Date | undefined;
  #hasRestarted = false;
  #largestBytes = 0;
  #inbox: Subscription | undefined;
  #isStopped = false;

  constructor(api: JetStreamApi, stream: string, options: PullOptions) {
    this.#api = api;
    this.#stream = stream;
    this.#options = options;
  }

  /** Returns how many messages await. */
  async createConsumer(): Promise<number> {
    const { filters, deliver, headersOnly } = this.#options;
    const name = randomToken();
    const from = this.#nextSeq === undefined ? { deliver_policy: this.#hasRestarted && deliver === "new" ? "all" : deliver } : { deliver_policy: "by_start_sequence", opt_start_seq: this.#nextSeq };
    const config = {
      name,
      ...from,
      ack_policy: "none",
      replay_policy: "instant",
      max_deliver: 1,
      mem_storage: true,
      num_replicas: 1,
      inactive_threshold: INACTIVE_MS * NANOS_PER_MS,
      headers_only: headersOnly,
      ...(filters.length === 1 ? { filter_subject: filters[0] } : { filter_subjects: filters }),
    };
    const created = await this.#api.call<ConsumerCreated>(`CONSUMER.CREATE.${this.#stream}.${name}`, { stream_name: this.#stream, config, action: "create" });
    this.#consumer = created.name;
    this.#consumerSeq = 0;
    // Only the last of each subject cannot be told by a sequence, and only while there are any.
    if (deliver !== "last_per_subject" || created.num_pending === 0) this.#nextSeq = created.delivered.stream_seq + 1;
    return created.num_pending;
  }

  read(pending: number): Pulled<StreamMessage> {
    const messages = this.#read(pending) as AsyncGenerator<StreamMessage> & Partial<Pulled<StreamMessage>>;
    // A generator that awaits cannot be returned from: ending its inbox ends the wait.
    const stop = (): void => {
      this.#isStopped = true;
      this.#inbox?.unsubscribe();
    };
    const leave = messages.return.bind(messages);
    messages.return = (value) => {
      stop();
      return leave(value);
    };
    return Object.assign(messages, { stop }) as Pulled<StreamMessage>;
  }

  async *#read(pending: number): AsyncGenerator<StreamMessage> {
    if (pending === 0 && this.#options.untilCaughtUp) return void this.#forget();
    try {
      while (!this.#isStopped) {
        const caughtUp = yield* this.#readConsumer();
        if (caughtUp) return;
        if (!this.#isStopped && (await this.#recover()) === 0 && this.#options.untilCaughtUp) return;
      }
    } finally {
      this.#forget();
    }
  }

  /** Reads until all has come (true), or the consumer is lost or the reader has left (false). */
  async *#readConsumer(): AsyncGenerator<StreamMessage, boolean> {
    const inbox = this.#api.nc.subscribe(createInbox(this.#api.nc.inboxPrefix));
    this.#inbox = inbox;
    const silence = new Silence(2 * HEARTBEAT_MS, () => inbox.unsubscribe());
    const statuses = this.#leaveOnReconnect(inbox);
    try {
      let left = this.#ask(inbox);
      for await (const message of inbox) {
        silence.broken();
        // A stored message may have a status in its headers too; it has a place in the stream.
        const status = message.reply?.startsWith(PLACE_PREFIX) ? 0 : (message.headers?.code ?? 0);
        if (status === 100) {
          // What the server has sent and never came is noticed here, when nothing follows it.
          if (Number(message.headers?.get("Nats-Last-Consumer") || 0) > this.#consumerSeq) return false;
          continue;
        }
        if (status > 0 && !isEndOfPull(status, message)) return false;
        const place = status > 0 ? undefined : placeOf(message);
        if (place) {
          // Messages that were lost on the way, or another reader's: begin again after the last good one.
          if (place.consumerSeq !== this.#consumerSeq + 1) return false;
          this.#consumerSeq = place.consumerSeq;
          this.#nextSeq = place.seq + 1;
          this.#lastTime = place.time;
          this.#largestBytes = Math.max(this.#largestBytes, message.data.byteLength, 1);
          silence.pause();
          yield { message, seq: place.seq, time: place.time, pending: place.pending };
          silence.broken();
          if (place.pending === 0 && this.#options.untilCaughtUp) return true;
          left -= 1;
        }
        if (!place || left === 0) left = this.#ask(inbox);
      }
      return false;
    } finally {
      silence.end();
      void statuses.return?.();
      inbox.unsubscribe();
    }
  }

  /** A link that broke, or a worker that was stopped, took the pull with it: waiting for the silence to be noticed would only cost time. */
  #leaveOnReconnect(inbox: Subscription): AsyncIterator<Status> {
    const statuses = this.#api.nc.status()[Symbol.asyncIterator]();
    void (async () => {
      for (let next = await statuses.next(); !next.done; next = await statuses.next()) {
        if (/^(reconnect|worker)$/.test(next.value.type)) inbox.unsubscribe();
      }
    })();
    return statuses;
  }

  /** Returns how many messages it asked for. */
  #ask(inbox: Subscription): number {
    const batch = this.#largestBytes === 0 ? BATCH_MESSAGES_START : Math.ceil(Math.min(BATCH_BYTES / this.#largestBytes, BATCH_MESSAGES_MAX));
    const wish = { batch, expires: EXPIRES_MS * NANOS_PER_MS, idle_heartbeat: HEARTBEAT_MS * NANOS_PER_MS };
    this.#api.nc.publish(`${this.#api.prefix}.CONSUMER.MSG.NEXT.${this.#stream}.${this.#consumer}`, JSON.stringify(wish), { reply: inbox.getSubject() });
    return batch;
  }

  /** Another consumer, however long a leader or a region takes; only what cannot mend itself ends the reading. */
  async #recover(): Promise<number> {
    let isConfirmed = false;
    while (!this.#isStopped) {
      try {
        await this.#startOverIfRestarted();
        return await this.createConsumer();
      } catch (error) {
        if (this.#isStopped) break;
        const isFinal = error instanceof JetStreamApiError && error.status >= 400 && error.status < 500;
        if ((isFinal && isConfirmed) || this.#api.nc.isClosed() || !(error instanceof NatsError)) throw error;
        isConfirmed = isFinal;
        await delay(isFinal ? GONE_MS : RECOVER_WAIT_MS);
      }
    }
    return 0;
  }

  /**
   * A stream that has begun again (its memory was lost, or it was deleted and made again) counts from 1: a reader that waits
   * for its next sequence would see nothing. Everything in it is new, so reading starts over.
   */
  async #startOverIfRestarted(): Promise<void> {
    if (this.#nextSeq === undefined) return;
    const info = await this.#api.call<StreamInfo>(`STREAM.INFO.${this.#stream}`).catch((error: unknown) => {
      // Who may read a stream need not be allowed to look at it.
      if (!(error instanceof PermissionViolationError)) throw error;
    });
    if (!info || !hasRestarted(info.state, this.#nextSeq - 1, this.#lastTime)) return;
    this.#nextSeq = undefined;
    this.#lastTime = undefined;
    this.#hasRestarted = true;
    const text = `stream \`${this.#stream}\` was reset: the client reads it from the start`;
    (this.#api.nc as Partial<BackendEvents>).notice?.({ type: "streamReset", stream: this.#stream, text });
  }

  /** Politeness: the server would forget the consumer by itself a minute later. */
  #forget(): void {
    if (this.#consumer === "" || this.#api.nc.isClosed() || this.#api.nc.isDraining()) return;
    this.#api.nc.request(`${this.#api.prefix}.CONSUMER.DELETE.${this.#stream}.${this.#consumer}`).catch(() => {});
    this.#consumer = "";
  }
}

interface StreamInfo {
  readonly state: StreamState;
}

interface StreamState {
  readonly first_seq: number;
  readonly first_ts: string;
  readonly last_seq: number;
}

/** Returns whether the stream was reset: it is not the stream from which the reader read `lastSeq`, stored at `lastTime`. */
export function hasRestarted(state: StreamState, lastSeq: number, lastTime: Date | undefined): boolean {
  if (state.last_seq < lastSeq) return true;
  // In one stream, what has a lower sequence is not younger.
  const isBefore = state.first_seq <= lastSeq && state.last_seq > 0;
  return isBefore && lastTime !== undefined && Date.parse(state.first_ts) > lastTime.getTime();
}

/** Acts when nothing has come for too long. */
class Silence {
  #ms: number;
  #act: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ms: number, act: () => void) {
    this.#ms = ms;
    this.#act = act;
    this.broken();
  }

  broken(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#act, this.#ms);
  }

  /** While the reader is busy with a message, nothing is expected. */
  pause(): void {
    clearTimeout(this.#timer);
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}

/** Whether a status ends the pull but not the consumer. */
function isEndOfPull(status: number, message: Msg): boolean {
  if (status === 404 || status === 408) return true;
  return status === 409 && /batch completed/i.test(message.headers?.description ?? "");
}

/**
 * Reads the position of a message from its reply subject:
 * `$JS.ACK.[domain.hash.]stream.consumer.delivered.seq.consumerSeq.time.pending[.token]`.
 */
export function placeOf(message: Pick<Msg, "reply">): { seq: number; consumerSeq: number; time: Date; pending: number } {
  const tokens = message.reply?.split(".") ?? [];
  if (!message.reply?.startsWith(PLACE_PREFIX) || tokens.length < 9) throw new JetStreamError(`the message has no position in a stream, because its reply subject is ${JSON.stringify(message.reply)}`);
  const first = tokens.length === 9 ? 5 : 7;
  const [seq, consumerSeq, nanos, pending] = tokens.slice(first, first + 4);
  return { seq: Number(seq), consumerSeq: Number(consumerSeq), time: new Date(Number(nanos) / NANOS_PER_MS), pending: Number(pending) };
}
