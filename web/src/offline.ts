// The demo's own files, kept for when nobody serves them.

/** The cache that the service worker answers from. */
export const SHELL = "shell";

/** Keeps what this page is made of: on the first visit it came before the worker could see it. */
export async function keepShell(): Promise<void> {
  const loaded = performance.getEntriesByType("resource").map(({ name }) => new URL(name));
  const files = loaded.filter(({ origin, pathname }) => origin === location.origin && /\/assets\/[^/]+$/.test(pathname));
  const cache = await caches.open(SHELL);
  await cache.addAll([new URL("./", location.href), ...files].map(({ origin, pathname }) => origin + pathname));
}
