// JetStream: the API's requests, and publishing with acknowledgement, over any connection.

import type { JetStreamClient, JetStreamOptions, JetStreamPublishOptions, PubAck } from "../types/jetstream.js";
import type { Msg, MsgHdrs, NatsConnection, Payload } from "../types/nats.js";
import { InvalidArgumentError, JetStreamApiError, JetStreamError, LinkLostError, RequestError, TimeoutError } from "./errors.ts";
import { delay } from "./delay.ts";
import { headers as newHeaders } from "./headers.ts";

/** Default prefix of the JetStream API. */
export const API_PREFIX = "$JS.API";
/** nats-core's default for JetStream requests. */
const TIMEOUT_DEFAULT_MS = 5000;
/** Tries after the first. */
const RETRIES_DEFAULT = 2;
/** Electing a leader takes about this long times two; nats-core waits as long. */
const RETRY_WAIT_MS = 250;

/**
 * Query of a direct get: the last message of a subject, the message with a sequence, or the first message of a subject from
 * this sequence on.
 */
export type DirectGet = { last: string } | { seq: number; next_by_subj?: string; batch?: number };

/** Returns the first tokens of the JetStream API's subjects, without the dot that follows. Throws if the prefix is not valid. */
export function prefixOf(domain: string | undefined, apiPrefix: string = API_PREFIX): string {
  const prefix = (domain === undefined ? apiPrefix : `$JS.${domain}.API`).replace(/\.$/, "");
  if (domain?.includes(".") || !/^[^\s.*>]+(\.[^\s.*>]+)*$/.test(prefix)) {
    const what = domain === undefined ? "API prefix: it has an empty token" : "domain: it is empty, or has a dot";
    throw new InvalidArgumentError(`${JSON.stringify(domain ?? apiPrefix)} is no JetStream ${what}, white space, * or >`);
  }
  return prefix;
}

/** A connection with the prefix of its JetStream API. */
export class JetStreamApi implements JetStreamClient {
  readonly nc: NatsConnection;
  readonly prefix: string;
  readonly timeout: number;

  /** If both are set, `domain` overrides `apiPrefix`, as in nats-core. */
  constructor(nc: NatsConnection, { domain, apiPrefix, timeout = TIMEOUT_DEFAULT_MS }: JetStreamOptions = {}) {
    this.nc = nc;
    this.prefix = prefixOf(domain, apiPrefix);
    this.timeout = timeout;
  }

  /** Sends an idempotent request. The client repeats the request if no answer arrives. */
  async call<T>(subject: string, body: unknown = undefined): Promise<T> {
    return parsed<T>(await this.#ask(subject, body === undefined ? undefined : JSON.stringify(body)));
  }

  /** Reads a message from any replica of the stream; resolves with null if there is none. */
  async direct(stream: string, query: DirectGet): Promise<Msg | null> {
    const [subject, payload] = "last" in query ? [`${stream}.${query.last}`, undefined] : [stream, JSON.stringify(query)];
    const message = await this.#ask(`DIRECT.GET.${subject}`, payload);
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
    if (!ack.stream) {
      throw new JetStreamError(`the reply on ${subject} is not from a stream: create a stream with this subject, or check the subject`);
    }
    return { ...ack, stream: ack.stream, seq: ack.seq ?? 0, duplicate: ack.duplicate ?? false };
  }

  async #ask(request: string, payload: string | undefined): Promise<Msg> {
    const subject = `${this.prefix}.${request}`;
    try {
      return await retried(RETRIES_DEFAULT, true, () => this.nc.request(subject, payload, { timeout: this.timeout }));
    } catch (error) {
      const domain = /^\$JS\.([^.]+)\.API$/.exec(this.prefix)?.[1];
      if (!domain || !(error instanceof RequestError && error.isNoResponders())) throw error;
      const { cause, code } = error;
      throw new RequestError(`no server answers on \`${subject}\`: check the name of the JetStream domain \`${domain}\`, and that a leaf node reaches it`, { cause, code });
    }
  }
}

export function jetstream(nc: NatsConnection, options?: JetStreamOptions): JetStreamClient {
  return new JetStreamApi(nc, options);
}

/** Returns the API of a client that `jetstream` returned, or of a connection. */
export function apiOf(nc: NatsConnection | JetStreamClient, options?: JetStreamOptions): JetStreamApi {
  return nc instanceof JetStreamApi ? nc : new JetStreamApi(nc as NatsConnection, options);
}

/** Calls `ask` again after a pause if the call failed because the stream moves, has no leader, or does not answer. */
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
    throw new JetStreamError("the reply is not JSON, so it is not from JetStream: check the subject, `domain` and `apiPrefix`", { cause });
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
