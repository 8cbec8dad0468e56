// Registration: from a script's address to a worker that controls this page.

import { limited, type Deadline } from "../deadline.ts";
import { ConnectionError } from "../errors.ts";

/**
 * How long to wait for control after the worker is active. Taking control is a message between processes; a page that is
 * not controlled by then was loaded past the worker (a hard reload), or lies outside of its scope.
 */
const CONTROL_WAIT_MS = 2000;
/** Installing loads a script and the engine; beyond this the page is better off by itself. */
const ACTIVE_WAIT_MS = 10_000;

/** Registers the worker and waits until it controls this page, at most until `deadline`. */
export async function controlledBy(url: string | URL, type: "module" | "classic", scope: string | undefined, deadline: Deadline): Promise<ServiceWorkerRegistration> {
  const container = serviceWorkers();
  const registering = container.register(url, { type, scope }).catch((cause: unknown) => {
    throw unavailable(`the service worker ${url} could not be registered: ${String(cause)}`, cause);
  });
  const registration = await limited(registering, deadline.left(), late(`the script of the service worker ${url} did not come`));
  await active(registration, url, deadline);
  if (!container.controller) await control(container, registration, url, deadline);
  return registration;
}

function serviceWorkers(): ServiceWorkerContainer {
  let container: ServiceWorkerContainer | undefined;
  try {
    container = globalThis.navigator?.serviceWorker;
  } catch {
    // A sandboxed frame forbids even the question.
  }
  if (!container) throw unavailable("this page has no service workers: they need https or localhost, and a browser that allows them");
  return container;
}

async function active(registration: ServiceWorkerRegistration, url: string | URL, deadline: Deadline): Promise<void> {
  if (registration.active) return;
  const worker = registration.installing ?? registration.waiting;
  const failed = (): ConnectionError => unavailable(`the service worker ${url} was not installed: its script or its WebAssembly file could not be loaded`);
  if (!worker) throw failed();
  const activated = new Promise<void>((resolve, reject) => {
    const look = (): void => {
      if (worker.state === "activated") resolve();
      if (worker.state === "redundant") reject(failed());
    };
    worker.addEventListener("statechange", look);
    look();
  });
  await limited(activated, deadline.left(ACTIVE_WAIT_MS), late(`the service worker ${url} was not active`));
}

async function control(container: ServiceWorkerContainer, registration: ServiceWorkerRegistration, url: string | URL, deadline: Deadline): Promise<void> {
  const controlled = new Promise<void>((resolve) => {
    container.addEventListener("controllerchange", () => resolve(), { once: true });
    // It claims pages when it is activated; one that was loaded later past it is claimed on request.
    registration.active?.postMessage({ natsGeo: "claim" });
    if (container.controller) resolve();
  });
  await limited(controlled, deadline.left(CONTROL_WAIT_MS), late(`the service worker ${url} does not control this page (a hard reload, or outside of its scope)`));
}

function late(what: string): (ms: number) => ConnectionError {
  return (ms) => unavailable(`${what} within ${ms} ms`);
}

/** Returns the error that makes `connect` continue without a service worker. */
export function unavailable(text: string, cause?: unknown): ConnectionError {
  return new ConnectionError(text, { cause, code: "WORKER_UNAVAILABLE" });
}
