// A client of the hub: a backend for one page, or for the worker's own code, that shares the engine with others.

import type { Snapshot } from "../../types/nats.js";
import type { Backend, BackendEvents } from "../backend.ts";
import { Code, toCode } from "../errors.ts";
import type { Hub } from "./hub.ts";

export class HubClient implements Backend {
  readonly events: BackendEvents;
  #hub: Hub;
  /** This client's numbers and the engine's. */
  #subscriptions = new Map<number, number>();
  #operations = new Map<number, number>();
  #onAnswered: (() => void) | undefined;

  constructor(hub: Hub, events: BackendEvents) {
    this.#hub = hub;
    this.events = events;
  }

  publish(subject: string, reply: string | undefined, headers: Uint8Array | undefined, payload: Uint8Array): void {
    this.#hub.backend().publish(subject, reply, headers, payload);
  }

  subscribe(sid: number, subject: string, queue: string | undefined, max: number | undefined): void {
    const backend = this.#hub.backend();
    const global = this.#hub.own(this, sid, true);
    this.#subscriptions.set(sid, global);
    backend.subscribe(global, subject, queue, max);
  }

  unsubscribe(sid: number, max: number | undefined): void {
    const global = this.#subscriptions.get(sid);
    if (global === undefined) return;
    if (max === undefined) {
      this.#subscriptions.delete(sid);
      this.#hub.disown(global);
    }
    this.#hub.backend().unsubscribe(global, max);
  }

  drainSubscription(sid: number, operation: number): void {
    const global = this.#subscriptions.get(sid);
    if (global === undefined) return this.events.completed(operation, Code.Ok);
    this.#operate(operation, (id) => this.#hub.backend().drainSubscription(global, id));
  }

  request(operation: number, subject: string, headers: Uint8Array | undefined, payload: Uint8Array, timeoutMs: number): void {
    this.#operate(operation, (id) => this.#hub.backend().request(id, subject, headers, payload, timeoutMs));
  }

  cancelRequest(operation: number): void {
    const global = this.#operations.get(operation);
    if (global === undefined) return;
    this.#operations.delete(operation);
    this.#hub.disown(global);
    this.#hub.backend().cancelRequest(global);
  }

  flush(operation: number): void {
    this.#operate(operation, (id) => this.#hub.backend().flush(id));
  }

  rtt(operation: number): void {
    this.#operate(operation, (id) => this.#hub.backend().rtt(id));
  }

  /** Drains the subscriptions and operations of this client. The connection stays open for the other clients. */
  drain(operation: number): void {
    void this.#drain().then(
      () => this.events.completed(operation, Code.Ok),
      (error: unknown) => {
        const { code, text } = toCode(error);
        this.events.completed(operation, code, text);
      },
    );
  }

  reconnect(): void {
    this.#hub.backend().reconnect();
  }

  setServers(servers: string[]): void {
    this.#hub.backend().setServers(servers);
  }

  snapshot(): Promise<Snapshot> {
    return this.#hub.backend().snapshot();
  }

  /** Leaves the hub, and cancels the subscriptions and operations of this client. */
  close(): void {
    this.#hub.leave(this);
    if (!this.#hub.host) return;
    for (const sid of [...this.#subscriptions.keys()]) this.unsubscribe(sid, undefined);
    for (const operation of [...this.#operations.keys()]) this.cancelRequest(operation);
  }

  /** Handles the answer to an operation. */
  answered(operation: number): void {
    this.#operations.delete(operation);
    this.#onAnswered?.();
  }

  /** Handles the replacement of the engine: its subscriptions and operations are lost. */
  forget(text: string): void {
    this.#subscriptions.clear();
    this.#operations.clear();
    this.#onAnswered?.();
    this.events.forgotten(text);
  }

  #operate(operation: number, ask: (global: number) => void): void {
    const global = this.#hub.own(this, operation, false);
    this.#operations.set(operation, global);
    try {
      ask(global);
    } catch (error) {
      this.#operations.delete(operation);
      this.#hub.disown(global);
      throw error;
    }
  }

  async #drain(): Promise<void> {
    const sids = [...this.#subscriptions.keys()];
    // Numbers below zero are no client's: these operations are this one's own.
    sids.forEach((sid, index) => this.drainSubscription(sid, -1 - index));
    this.flush(-1 - sids.length);
    await new Promise<void>((resolve) => {
      this.#onAnswered = () => this.#operations.size === 0 && resolve();
      this.#onAnswered();
    });
    this.#onAnswered = undefined;
  }
}
