// Greeting: one meeting of this page with one run of the service worker.

import { limited } from "../deadline.ts";
import { unavailable } from "./registration.ts";
import { randomToken } from "../inbox.ts";
import { LIFELINE_HEADER, LIFELINE_PATH, PROTOCOL_VERSION, type FromPage, type FromWorker, type PostedOptions, type ToWorker } from "../protocol.ts";

/** Starting a worker takes 15 ms and its engine 20 ms, from the cache; on a slow phone ten times that, or the network. */
const ATTACH_WAIT_MS = 10_000;

export interface Greeting {
  readonly client: string;
  /** Resolves when the worker has ended, or the page has called `end()`. */
  readonly lost: Promise<void>;
  post(message: FromPage, transfer?: Transferable[]): void;
  end(): void;
}

/**
 * Connects this page to the worker, and resolves when the worker accepts calls. `take` gets the messages of the worker. The
 * time limit, at most `ATTACH_WAIT_MS`, includes the fetch. So this call ends even if the browser or the worker never
 * answers.
 */
export async function greet(scope: string, options: PostedOptions | undefined, take: (message: FromWorker) => void, limitMs = ATTACH_WAIT_MS): Promise<Greeting> {
  const client = randomToken();
  const abort = new AbortController();
  const meeting = meet(scope, { natsGeo: "hello", protocol: PROTOCOL_VERSION, client, options }, take, abort.signal);
  try {
    const { port, lost } = await limited(meeting, Math.min(limitMs, ATTACH_WAIT_MS), (ms) => unavailable(`the service worker did not take this page within ${ms} ms`));
    return { client, lost, post: (message, transfer = []) => port.postMessage(message, transfer), end: () => abort.abort() };
  } catch (error) {
    abort.abort();
    throw error;
  }
}

type Hello = Extract<ToWorker, { natsGeo: "hello" }>;

async function meet(scope: string, hello: Hello, take: (message: FromWorker) => void, signal: AbortSignal): Promise<{ port: MessagePort; lost: Promise<void> }> {
  const controller = navigator.serviceWorker.controller;
  if (!controller) throw unavailable("no service worker controls this page");
  const lifeline = await openLifeline(scope, hello.client, signal);
  const { port1: port, port2 } = new MessageChannel();
  const lost = ended(lifeline).then(() => port.close());
  const attached = new Promise<void>((resolve, reject) => {
    const stopped = (): void => reject(unavailable("the service worker was stopped while it was greeted"));
    void lost.then(stopped);
    port.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if (data[0] === "unknown") return stopped();
      take(data);
      // A refusal is told by `take`; this meeting is over, and not to be repeated.
      if (data[0] === "attached" || data[0] === "terminated") resolve();
    };
  });
  try {
    controller.postMessage(hello, [port2]);
  } catch (cause) {
    throw unavailable(`the options cannot be handed to the service worker: ${String(cause)}`, cause);
  }
  await attached;
  return { port, lost };
}

async function openLifeline(scope: string, client: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
  const url = new URL(LIFELINE_PATH, scope);
  url.searchParams.set("client", client);
  const response = await fetch(url, { signal, cache: "no-store" }).catch((cause: unknown) => {
    throw unavailable(`the service worker did not answer ${url.pathname}`, cause);
  });
  if (response.headers.get(LIFELINE_HEADER) !== "keepalive" || !response.body) {
    throw unavailable("the service worker that controls this page is not nats-geo's: its script must create a NatsGeoWorker");
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
