// JetStream: the API's requests, and publishing with acknowledgement, over any connection.

import type { JetStreamClient, JetStreamOptions, JetStreamPublishOptions, PubAck } from "../types/jetstream.js";
import type { Msg, MsgHdrs, NatsConnection, Payload } from "../types/nats.js";
import { InvalidArgumentError, JetStreamApiError, JetStreamError, LinkLostError, RequestError, TimeoutError } from "./errors.ts";
import { delay } from "./delay.ts";
import { headers as newHeaders } from "./headers.ts";

/** Where the API is when nothing else is said. */
export const API_PREFIX = "$JS.API";
/** nats-core's default for JetStream requests. */
const TIMEOUT_DEFAULT_MS = 5000;
/** Tries after the first. */
const RETRIES_DEFAULT = 2;
/** Electing a leader takes about this long times two; nats-core waits as long. */
const RETRY_WAIT_MS = 250;

/** The last message of a subject, the one with a sequence, or the first of a subject from there on. */
export type DirectGet = { last: string } | { seq: number; next_by_subj?: string; batch?: number };

/** A connection with the prefix of its JetStream API. */
export class JetStreamApi {
  readonly nc: NatsConnection;
  readonly prefix: string;
  readonly timeout: number;

  constructor(nc: NatsConnection, options: JetStreamOptions = {}) {
    this.nc = nc;
    this.prefix = options.apiPrefix ?? (options.domain ? `$JS.${options.domain}.API` : API_PREFIX);
    this.timeout = options.timeout ?? TIMEOUT_DEFAULT_MS;
  }

  /** A request that changes nothing, or nothing twice: tried again when a link was lost. */
  async call<T>(subject: string, body: unknown = undefined): Promise<T> {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const message = await retried(RETRIES_DEFAULT, true, () => this.nc.request(`${this.prefix}.${subject}`, payload, { timeout: this.timeout }));
    return parsed<T>(message);
  }

  /** A message from any replica of the stream; null when there is none. */
  async direct(stream: string, query: DirectGet): Promise<Msg | null> {
    const [subject, payload] = "last" in query ? [`${stream}.${query.last}`, undefined] : [stream, JSON.stringify(query)];
    const ask = () => this.nc.request(`${this.prefix}.DIRECT.GET.${subject}`, payload, { timeout: this.timeout });
    const message = await retried(RETRIES_DEFAULT, true, ask);
    const status = message.headers?.code ?? 0;
    if (status === 404) return null;
    if (status >= 300) throw new JetStreamApiError({ code: status, description: message.headers?.description });
    return message;
  }

  async publish(subject: string, payload?: Payload, options: JetStreamPublishOptions = {}): Promise<PubAck> {
    const hdrs = publishHeaders(options);
    const timeout = options.timeout ?? this.timeout;
    const retries = options.retries ?? RETRIES_DEFAULT;
    if (!(retries >= 0)) throw new InvalidArgumentError(`retries is ${retries}: it must be 0 or more`);
    const ask = () => this.nc.request(subject, payload, { timeout, headers: hdrs });
    const message = await retried(retries, options.msgID !== undefined, ask);
    const ack = parsed<Partial<PubAck>>(message);
    if (!ack.stream) throw new JetStreamError(`the answer to a publish on ${subject} is no acknowledgement: no stream listens there`);
    return { ...ack, stream: ack.stream, seq: ack.seq ?? 0, duplicate: ack.duplicate ?? false };
  }
}

export function jetstream(nc: NatsConnection, options?: JetStreamOptions): JetStreamClient {
  const api = new JetStreamApi(nc, options);
  return { nc, publish: (subject, payload, more) => api.publish(subject, payload, more) };
}

/** Waits, and asks a stream that is being moved or has no leader again. */
export async function retried<T>(retries: number, isIdempotent: boolean, ask: () => Promise<T>): Promise<T> {
  for (let left = retries; ; left--) {
    try {
      return await ask();
    } catch (error) {
      const neverExecuted = error instanceof RequestError && error.isNoResponders();
      // Without a message id nobody can tell whether the first one was stored, so asking again could store it twice.
      const maySafely = isIdempotent && (error instanceof TimeoutError || error instanceof LinkLostError);
      if (left <= 0 || !(neverExecuted || maySafely)) throw error;
      await delay(RETRY_WAIT_MS);
    }
  }
}

function parsed<T>(message: Msg): T {
  let answer: { error?: { code: number; err_code: number; description: string } };
  try {
    answer = message.json();
  } catch (cause) {
    throw new JetStreamError("the answer is no JSON: no JetStream listens there", { cause });
  }
  if (answer.error) throw new JetStreamApiError(answer.error);
  return answer as T;
}

function publishHeaders(options: JetStreamPublishOptions): MsgHdrs {
  const hdrs = newHeaders();
  for (const [name, values] of options.headers ?? []) for (const value of values) hdrs.append(name, value);
  const { msgID, expect = {} } = options;
  const known: [string, string | number | undefined][] = [
    ["Nats-Msg-Id", msgID],
    ["Nats-Expected-Stream", expect.streamName],
    ["Nats-Expected-Last-Msg-Id", expect.lastMsgID],
    ["Nats-Expected-Last-Sequence", expect.lastSequence],
    ["Nats-Expected-Last-Subject-Sequence", expect.lastSubjectSequence],
    ["Nats-Expected-Last-Subject-Sequence-Subject", expect.lastSubjectSequenceSubject],
  ];
  for (const [name, value] of known) if (value !== undefined) hdrs.set(name, String(value));
  return hdrs;
}
