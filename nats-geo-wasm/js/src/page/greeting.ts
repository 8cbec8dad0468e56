// Greeting: one meeting of this page with one run of the service worker.

import { ConnectionError } from "../errors.ts";
import { randomToken } from "../inbox.ts";
import { LIFELINE_HEADER, LIFELINE_PATH, PROTOCOL_VERSION, type FromPage, type FromWorker, type PostedOptions, type ToWorker } from "../protocol.ts";

/** Starting a worker takes 15 ms and its engine 20 ms, from the cache; on a slow phone ten times that, or the network. */
const ATTACH_WAIT_MS = 10_000;

export interface Greeting {
  readonly client: string;
  /** Resolves when the worker is gone, or `end()` was called. */
  readonly lost: Promise<void>;
  post(message: FromPage, transfer?: Transferable[]): void;
  end(): void;
}

/** Resolves when the worker takes calls. `take` gets what it says. */
export async function greet(scope: string, options: PostedOptions | undefined, take: (message: FromWorker) => void): Promise<Greeting> {
  const controller = navigator.serviceWorker.controller;
  if (!controller) throw new ConnectionError("no service worker controls this page", { code: "WORKER_UNAVAILABLE" });
  const client = randomToken();
  const abort = new AbortController();
  const lifeline = await openLifeline(scope, client, abort.signal);
  const { port1: port, port2 } = new MessageChannel();
  const lost = ended(lifeline).then(() => {
    abort.abort();
    port.close();
  });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const attached = new Promise<void>((resolve, reject) => {
    const fail = (text: string): void => reject(new ConnectionError(text, { code: "WORKER_UNAVAILABLE" }));
    timer = setTimeout(() => fail(`the service worker did not take this page within ${ATTACH_WAIT_MS} ms`), ATTACH_WAIT_MS);
    void lost.then(() => fail("the service worker was stopped while it was greeted"));
    port.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if (data[0] === "unknown") return fail("the service worker was stopped while it was greeted");
      take(data);
      // A refusal is told by `take`; this meeting is over, and not to be repeated.
      if (data[0] === "attached" || data[0] === "terminated") resolve();
    };
  });
  const hello: ToWorker = { natsGeo: "hello", protocol: PROTOCOL_VERSION, client, options };
  controller.postMessage(hello, [port2]);
  try {
    await attached;
  } catch (error) {
    abort.abort();
    throw error;
  } finally {
    clearTimeout(timer);
  }
  return { client, lost, post: (message, transfer = []) => port.postMessage(message, transfer), end: () => abort.abort() };
}

async function openLifeline(scope: string, client: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
  const url = new URL(LIFELINE_PATH, scope);
  url.searchParams.set("client", client);
  const response = await fetch(url, { signal, cache: "no-store" }).catch((cause: unknown) => {
    throw new ConnectionError(`the service worker did not answer ${url.pathname}`, { cause, code: "WORKER_UNAVAILABLE" });
  });
  if (response.headers.get(LIFELINE_HEADER) !== "keepalive" || !response.body) {
    throw new ConnectionError("the service worker that controls this page is not nats-geo's: its script must create a NatsGeoWorker", { code: "WORKER_UNAVAILABLE" });
  }
  return response.body;
}

/** Resolves when the response ends, in whatever way. */
async function ended(lifeline: ReadableStream<Uint8Array>): Promise<void> {
  try {
    const reader = lifeline.getReader();
    while (!(await reader.read()).done);
  } catch {
    // A worker that is stopped breaks the response off; an abort does too.
  }
}
