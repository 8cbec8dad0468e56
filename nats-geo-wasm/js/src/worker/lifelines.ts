// Lifelines: responses that never end. An unfinished response keeps the worker alive without a timer, its end tells the
// worker that a page has gone, and tells a page at once that the worker has.

import { LIFELINE_HEADER } from "../protocol.ts";

export class Lifelines {
  #open = new Map<string, ReadableStreamDefaultController>();
  #onEnd: (client: string) => void;

  constructor(onEnd: (client: string) => void) {
    this.#onEnd = onEnd;
  }

  has(client: string): boolean {
    return this.#open.has(client);
  }

  /** Returns the response to a page's fetch, which does not end while the worker runs. */
  respond(client: string): Response {
    const body = new ReadableStream({
      start: (controller) => {
        // Firefox withholds the headers of a streamed response until its first chunk.
        controller.enqueue(new Uint8Array(1));
        this.#open.set(client, controller);
      },
      cancel: () => {
        this.#open.delete(client);
        this.#onEnd(client);
      },
    });
    return new Response(body, { headers: { [LIFELINE_HEADER]: "keepalive", "cache-control": "no-store", "content-type": "application/octet-stream" } });
  }
}
