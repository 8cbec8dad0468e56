// Registration: from a script's address to a worker that controls this page.

import { ConnectionError } from "../errors.ts";

/**
 * How long to wait for control after the worker is active. Taking control is a message between processes; a page that is
 * not controlled by then was loaded past the worker (a hard reload), or lies outside of its scope.
 */
const CONTROL_WAIT_MS = 2000;
/** Installing loads a script and the engine; beyond this the page is better off by itself. */
const ACTIVE_WAIT_MS = 10_000;

/** Registers the worker and waits until it controls this page. */
export async function controlledBy(url: string | URL, type: "module" | "classic", scope: string | undefined): Promise<ServiceWorkerRegistration> {
  const container = globalThis.navigator?.serviceWorker;
  if (!container) throw unavailable("this page has no service workers: they need https or localhost, and a browser that allows them");
  let registration: ServiceWorkerRegistration;
  try {
    registration = await container.register(url, { type, scope });
  } catch (cause) {
    throw unavailable(`the service worker ${url} could not be registered: ${String(cause)}`, cause);
  }
  await active(registration, url);
  if (!container.controller) await control(container, registration, url);
  return registration;
}

async function active(registration: ServiceWorkerRegistration, url: string | URL): Promise<void> {
  if (registration.active) return;
  const worker = registration.installing ?? registration.waiting;
  if (!worker) throw unavailable(`the service worker ${url} was not installed: its script or the engine could not be loaded`);
  await within(ACTIVE_WAIT_MS, `the service worker ${url} was not active`, (resolve, reject) => {
    worker.addEventListener("statechange", () => {
      if (worker.state === "activated") resolve();
      if (worker.state === "redundant") reject(unavailable(`the service worker ${url} was not installed: its script or the engine could not be loaded`));
    });
  });
}

async function control(container: ServiceWorkerContainer, registration: ServiceWorkerRegistration, url: string | URL): Promise<void> {
  await within(CONTROL_WAIT_MS, `the service worker ${url} does not control this page (a hard reload, or outside of its scope)`, (resolve) => {
    container.addEventListener("controllerchange", () => resolve(), { once: true });
    // It claims pages when it is activated; one that was loaded later past it is claimed on request.
    registration.active?.postMessage({ natsGeo: "claim" });
    if (container.controller) resolve();
  });
}

function within(ms: number, what: string, wait: (resolve: () => void, reject: (error: Error) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(unavailable(`${what} within ${ms} ms`)), ms);
    const settle = (): void => clearTimeout(timer);
    wait(
      () => (settle(), resolve()),
      (error) => (settle(), reject(error)),
    );
  });
}

function unavailable(text: string, cause?: unknown): ConnectionError {
  return new ConnectionError(text, { cause, code: "WORKER_UNAVAILABLE" });
}
