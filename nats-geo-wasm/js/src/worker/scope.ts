// A service worker's scope: its types, which TypeScript has only in a library that excludes the page's, and its storage.

export interface ExtendableEvent extends Event {
  waitUntil(promise: Promise<unknown>): void;
}

export interface ExtendableMessageEvent extends ExtendableEvent {
  readonly data: unknown;
  readonly ports: readonly MessagePort[];
}

export interface FetchEvent extends ExtendableEvent {
  readonly request: Request;
  respondWith(response: Response | Promise<Response>): void;
}

interface ScopeEvents {
  install: ExtendableEvent;
  activate: ExtendableEvent;
  message: ExtendableMessageEvent;
  fetch: FetchEvent;
}

declare const self: ServiceWorkerScope;

/** Returns the name of this worker's storage. It contains the scope, because one origin may have several applications. */
export function storageName(): string {
  return `nats-geo ${self.registration.scope}`;
}

export interface ServiceWorkerScope {
  readonly location: Location;
  readonly registration: ServiceWorkerRegistration;
  readonly clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
  addEventListener<T extends keyof ScopeEvents>(type: T, listener: (event: ScopeEvents[T]) => void): void;
}
