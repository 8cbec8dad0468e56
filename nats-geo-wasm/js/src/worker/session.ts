// Session: one page at the worker's end of its port.

import type { Auth } from "../../types/nats.js";
import type { BackendEvents } from "../backend.ts";
import { Code, toCode } from "../errors.ts";
import { decodeFrame, forEachFrame } from "../frames.ts";
import type { FromPage, FromWorker } from "../protocol.ts";
import type { HubClient } from "./hub-client.ts";

/**
 * Bytes that a page may leave untaken, such as while it is frozen. Beyond that its messages are dropped and counted: a
 * port has no back-pressure, and a worker that runs out of memory takes every page with it.
 */
const UNTAKEN_BYTES_MAX = 16 * 1024 * 1024;
/** How long a page may think about a challenge; the server's own limit is 2 s by default. */
const ANSWER_WAIT_MS = 2000;

export class Session {
  readonly client: string;
  /** Whether the page can answer a server's challenge. */
  readonly answers: boolean;
  isVisible = true;
  #port: MessagePort;
  #backend: HubClient | undefined;
  #sentBytes = 0;
  #takenBytes = 0;
  #dropped = 0;
  #questions = new Map<number, (answer: Auth, error?: string) => void>();
  #lastQuestion = 0;
  #onClose: () => void;

  constructor(client: string, port: MessagePort, answers: boolean, onClose: () => void) {
    this.client = client;
    this.answers = answers;
    this.#port = port;
    this.#onClose = onClose;
    port.onmessage = ({ data }: MessageEvent<FromPage>) => this.#take(data);
  }

  attach(backend: HubClient): void {
    this.#backend = backend;
  }

  post(message: FromWorker, transfer: Transferable[] = []): void {
    this.#port.postMessage(message, transfer);
  }

  /** Ends the session, because the page has gone or has closed its connection. */
  end(): void {
    this.#backend?.close();
    this.#backend = undefined;
    for (const answer of this.#questions.values()) answer(undefined, "the page has gone");
    this.#port.close();
  }

  /** Requests credentials from the page. */
  authenticate(nonce: string | undefined): Promise<Auth> {
    const question = ++this.#lastQuestion;
    return new Promise<Auth>((resolve, reject) => {
      const timer = setTimeout(() => this.#questions.get(question)?.(undefined, `no page answered within ${ANSWER_WAIT_MS} ms`), ANSWER_WAIT_MS);
      this.#questions.set(question, (answer, error) => {
        clearTimeout(timer);
        this.#questions.delete(question);
        if (error === undefined) resolve(answer);
        else reject(new Error(error));
      });
      this.post(["authenticate", question, nonce]);
    });
  }

  /** Returns event handlers that send each event to the page through the port. */
  events(): BackendEvents {
    const tell = (...message: FromWorker) => this.post(message);
    return {
      opened: () => tell("opened"),
      terminated: (code, text) => tell("terminated", code, text),
      deliver: (frames) => this.#deliver(frames),
      completed: (operation, code, text, value) => tell("completed", operation, code, text, value),
      notice: (notice) => tell("notice", notice),
      state: (state) => tell("state", state),
      forgotten: (text) => tell("forgotten", text),
    };
  }

  #deliver(frames: Uint8Array): void {
    if (this.#sentBytes - this.#takenBytes > UNTAKEN_BYTES_MAX) {
      this.#dropped += 1;
      return;
    }
    this.#sentBytes += frames.byteLength;
    this.post(["deliver", frames], [frames.buffer as ArrayBuffer]);
  }

  #take(message: FromPage): void {
    try {
      this.#dispatch(message);
    } catch (error) {
      const { code, text } = toCode(error);
      const operation = operationOf(message);
      if (operation === undefined) this.post(["notice", { type: "error", code, text }]);
      else this.post(["completed", operation, code, text]);
    }
  }

  #dispatch(message: FromPage): void {
    const backend = this.#backend;
    switch (message[0]) {
      case "ping":
        return this.post(["pong"]);
      case "taken":
        return this.#taken(message[1]);
      case "authenticated":
        return this.#questions.get(message[1])?.(message[2], message[3]);
      case "close":
        return this.#onClose();
      case "publishAll":
        return this.#publishAll(message[1]);
      case "snapshot":
        return void backend?.snapshot().then(
          (snapshot) => this.post(["snapshotTaken", message[1], snapshot]),
          () => this.post(["snapshotTaken", message[1], undefined]),
        );
      default: {
        if (!backend) throw Object.assign(new Error("the connection is closed"), { code: Code.Closed });
        const [name, ...values] = message;
        (backend[name] as (...values: unknown[]) => void)(...values);
      }
    }
  }

  #publishAll(frames: Uint8Array): void {
    forEachFrame(frames, (offset, _length, view) => {
      const { subject, reply, headers, payload } = decodeFrame(frames, view, offset);
      try {
        this.#backend?.publish(subject, reply, headers, payload);
      } catch (error) {
        // One that is refused does not take the rest of the batch with it.
        this.post(["notice", { type: "error", ...toCode(error), subject }]);
      }
    });
  }

  #taken(bytes: number): void {
    this.#takenBytes = bytes;
    if (this.#dropped === 0) return;
    const text = `the page reads too slowly: the service worker dropped ${this.#dropped} batches of messages`;
    this.#dropped = 0;
    this.post(["notice", { type: "error", code: Code.SlowConsumer, text }]);
  }
}

/** The operation that fails when this call fails. */
function operationOf(message: FromPage): number | undefined {
  switch (message[0]) {
    case "drainSubscription":
      return message[2];
    case "request":
    case "flush":
    case "rtt":
    case "drain":
      return message[1];
    default:
      return undefined;
  }
}
