// Messages: a frame seen as nats-core's `Msg`.

import type { Msg, MsgHdrs, NatsConnection, Payload, PublishOptions } from "../types/nats.js";
import type { Frame } from "./frames.ts";
import { decodeHeaders } from "./headers.ts";

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** The functions of a connection that its messages use. */
export interface MessageOwner extends Pick<NatsConnection, "publish"> {
  /** Reports a message with headers that the client cannot read, at least in part. */
  unreadable?(subject: string): void;
}

export class MsgImpl implements Msg {
  readonly subject: string;
  readonly sid: number;
  readonly reply: string;
  readonly data: Uint8Array;
  /** Function that the message calls when the application has answered it. */
  onAnswered: (() => void) | undefined;
  #connection: MessageOwner;
  #headers: Uint8Array | MsgHdrs | undefined;

  constructor(connection: MessageOwner, frame: Frame, sid: number) {
    this.#connection = connection;
    this.#headers = frame.headers;
    this.subject = frame.subject;
    this.sid = sid;
    // As in nats-core: "" when no answer is wanted.
    this.reply = frame.reply ?? "";
    this.data = frame.payload;
  }

  /** Parses the headers when the application reads them for the first time, because most applications never do. */
  get headers(): MsgHdrs | undefined {
    if (this.#headers instanceof Uint8Array) this.#headers = decodeHeaders(this.#headers, () => this.#connection.unreadable?.(this.subject));
    return this.#headers;
  }

  respond(payload?: Payload, options?: PublishOptions): boolean {
    if (!this.reply) return false;
    this.#connection.publish(this.reply, payload, options);
    this.onAnswered?.();
    return true;
  }

  json<T = unknown>(reviver?: (key: string, value: any) => any): T {
    return JSON.parse(this.string(), reviver) as T;
  }

  string(): string {
    return decoder.decode(this.data);
  }
}

export function toBytes(payload: Payload | undefined): Uint8Array {
  if (payload === undefined) return new Uint8Array(0);
  return typeof payload === "string" ? encoder.encode(payload) : payload;
}

/** Returns whether the message says that a request has no responder. */
export function isNoResponders(message: Msg): boolean {
  return message.data.byteLength === 0 && message.headers?.code === 503;
}
