// Speaks to loadgen. A browser has a cookie after it has shown the token once; a frame on another site shows the token each time.

import { EventSource } from "eventsource";

/** loadgen answered with an error; the message names the remedy. */
export class Refused extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Without the token there is no answer. */
export const UNAUTHORIZED = 401;

export interface Listeners {
  /** An event of one of the names. */
  readonly event: (name: string, data: unknown) => void;
  /** The connection is lost, and will be tried again. */
  readonly lost: () => void;
}

export class Api {
  #token: string | null = null;

  /** Takes the token out of the address, so that no bookmark and no history holds it. A frame keeps it, for it is loaded again by its address. */
  static fromAddress(isFrame: boolean): Api {
    const api = new Api();
    api.#token = new URLSearchParams(location.hash.slice(1)).get("token");
    if (api.#token !== null && !isFrame) history.replaceState(null, "", location.pathname + location.search);
    return api;
  }

  /** Exchanges the token of the address for a cookie. An old token is no error: the cookie may still be good. */
  async start(): Promise<void> {
    if (this.#token !== null) await this.logIn(this.#token).catch(() => {});
  }

  async logIn(token: string): Promise<void> {
    this.#token = token;
    try {
      await this.#fetch("/api/session", { method: "POST" });
    } catch (error) {
      this.#token = null;
      throw error;
    }
  }

  async logOut(): Promise<void> {
    this.#token = null;
    await this.#fetch("/api/session", { method: "DELETE" });
  }

  async get<T>(path: string, signal: AbortSignal): Promise<T> {
    return (await this.#fetch(path, { signal })).json() as Promise<T>;
  }

  async text(path: string, signal: AbortSignal): Promise<string> {
    return (await this.#fetch(path, { signal })).text();
  }

  async post(path: string, body: unknown): Promise<void> {
    await this.#fetch(path, { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } });
  }

  /** Listens to events until `signal`. */
  listen(path: string, names: readonly string[], { event, lost }: Listeners, signal: AbortSignal): void {
    const source = new EventSource(path, { fetch: (url, init) => fetch(url, { ...init, headers: this.#headers(init.headers) }) });
    for (const name of names) source.addEventListener(name, (message) => event(name, JSON.parse(message.data as string)));
    source.addEventListener("error", lost);
    signal.addEventListener("abort", () => source.close());
  }

  #headers(more: Readonly<Record<string, string>> = {}): Record<string, string> {
    return this.#token === null ? { ...more } : { ...more, authorization: `Bearer ${this.#token}` };
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(path, { ...init, headers: this.#headers(init.headers as Record<string, string> | undefined) });
    } catch (cause) {
      if (init.signal?.aborted) throw cause;
      throw new Refused(0, "loadgen does not answer: start it again with `loadgen dashboard`, and open the address that it prints");
    }
    if (!response.ok) throw new Refused(response.status, await response.text());
    return response;
  }
}

/** The path of a file of a run. */
export function fileOf(run: string, path: string): string {
  return `/api/runs/${encodeURIComponent(run)}/files/${path.split("/").map(encodeURIComponent).join("/")}`;
}
