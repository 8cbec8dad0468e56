// Hub: one engine, many clients. Pages and the worker's own code each number their subscriptions and operations; the
// hub gives each a number of its own towards the engine, and hands what comes back to the right client.

import { NO_STATE, type Backend, type BackendEvents, type Notice, type State } from "../backend.ts";
import { delay } from "../delay.ts";
import { Code } from "../errors.ts";
import { EngineHost } from "../engine/host.ts";
import type { Hint } from "../engine/types.ts";
import { FrameWriter, Kind, forEachFrame, frameId, frameKind, setFrameId } from "../frames.ts";
import type { ParsedOptions } from "../options.ts";
import { HubClient } from "./hub-client.ts";

/** While nothing is live, what waits cannot be sent; and browsers end a worker that has been idle for 30 s. */
const DRAIN_MAX_MS = 4000;

/** The client that gave a number, and this number. */
export interface Owner {
  readonly client: HubClient;
  readonly id: number;
  readonly isSubscription: boolean;
}

export class Hub implements BackendEvents {
  #host: EngineHost | undefined;
  #key = "";
  #isOpen = false;
  #state: State = NO_STATE;
  #clients = new Set<HubClient>();
  #owners = new Map<number, Owner>();
  #lastId = 0;
  #onNotice: (notice: Notice) => void;

  /** `onNotice` gets each notice once, independent of the number of clients. */
  constructor(onNotice: (notice: Notice) => void) {
    this.#onNotice = onNotice;
  }

  /** Key of the options of the running connection; "" if no connection runs. */
  get key(): string {
    return this.#key;
  }

  get host(): EngineHost | undefined {
    return this.#host;
  }

  /** Starts the engine. The worker compares `key` with the keys of later clients. */
  start(options: ParsedOptions, key: string, memory: object | undefined): void {
    this.#host = new EngineHost(options, this, memory);
    this.#state = this.#host.state();
    this.#key = key;
    this.#host.connect();
  }

  /** Adds a client to the running connection, and returns it. */
  join(events: BackendEvents): HubClient {
    const client = new HubClient(this, events);
    this.#clients.add(client);
    events.state(this.#state);
    if (this.#isOpen) events.opened();
    return client;
  }

  leave(client: HubClient): void {
    this.#clients.delete(client);
  }

  hint(kind: Hint): void {
    this.#host?.hint(kind);
  }

  /** Sends waiting messages, then closes the connection. */
  async drain(): Promise<void> {
    const host = this.#host;
    if (!host) return;
    await Promise.race([this.#ask((id) => host.drain(id)), delay(DRAIN_MAX_MS)]);
    if (host === this.#host) this.terminated(Code.Ok);
    host.close();
  }

  /** Returns the engine for a call of a client. */
  backend(): Backend {
    if (!this.#host) throw Object.assign(new Error("the connection is closed"), { code: Code.Closed });
    return this.#host;
  }

  /** Returns a number that is unique in the engine, for the number that a client gave. */
  own(client: HubClient, id: number, isSubscription: boolean): number {
    const global = ++this.#lastId;
    this.#owners.set(global, { client, id, isSubscription });
    return global;
  }

  disown(global: number): void {
    this.#owners.delete(global);
  }

  // What the engine tells.

  opened(): void {
    this.#isOpen = true;
    for (const client of this.#clients) client.events.opened();
    this.#onNotice({ type: "opened" });
  }

  terminated(code: number, text?: string): void {
    this.#forget();
    for (const client of [...this.#clients]) client.events.terminated(code, text);
    this.#clients.clear();
  }

  deliver(frames: Uint8Array): void {
    const writers = new Map<HubClient, FrameWriter>();
    const single = this.#onlyOwner(frames);
    forEachFrame(frames, (offset, length, view) => {
      const global = frameId(view, offset);
      const owner = this.#owners.get(global);
      if (!owner) return;
      if (frameKind(view, offset) === Kind.Reply) this.#answered(global, owner);
      if (single) return setFrameId(view, offset, owner.id);
      const writer = writers.get(owner.client) ?? new FrameWriter();
      writers.set(owner.client, writer);
      writer.copy(frames, offset, length, owner.id);
    });
    if (single) single.events.deliver(frames);
    for (const [client, writer] of writers) client.events.deliver(writer.take());
  }

  completed(operation: number, code: number, text?: string, value?: number): void {
    const owner = this.#owners.get(operation);
    if (!owner) return;
    this.#answered(operation, owner);
    owner.client.events.completed(owner.id, code, text, value);
  }

  notice(notice: Notice): void {
    this.#onNotice(notice);
    if (notice.sid === undefined) {
      for (const client of this.#clients) client.events.notice(notice);
      return;
    }
    const owner = this.#owners.get(notice.sid);
    owner?.client.events.notice({ ...notice, sid: owner.id });
  }

  state(state: State): void {
    this.#state = state;
    for (const client of this.#clients) client.events.state(state);
  }

  forgotten(text: string): void {
    this.#owners.clear();
    for (const client of [...this.#clients]) client.forget(text);
  }

  #answered(global: number, owner: Owner): void {
    this.#owners.delete(global);
    owner.client.answered(owner.id);
  }

  /** The client to whom all frames go, if they go to one: their buffer can be passed on as it is. */
  #onlyOwner(frames: Uint8Array): HubClient | undefined {
    let only: HubClient | undefined;
    let isMixed = false;
    forEachFrame(frames, (offset, _length, view) => {
      const client = this.#owners.get(frameId(view, offset))?.client;
      isMixed ||= client === undefined || (only !== undefined && client !== only);
      only = client;
    });
    return isMixed ? undefined : only;
  }

  /** Asks the engine on the hub's own behalf. Resolves with or without success. */
  #ask(ask: (id: number) => void): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#clients.delete(client);
        resolve();
      };
      const events = { completed: done, terminated: done, forgotten: done, opened() {}, deliver() {}, notice() {}, state() {} };
      const client = new HubClient(this, events);
      this.#clients.add(client);
      ask(this.own(client, 0, false));
    });
  }

  #forget(): void {
    this.#host = undefined;
    this.#key = "";
    this.#isOpen = false;
    this.#state = NO_STATE;
    this.#owners.clear();
  }
}
