// Memory: what outlives the service worker, in IndexedDB. Distances and the last region make the next start faster; the
// key lets a fetch be answered when no page is there to bring it. Passwords and tokens are not kept.

import { delay } from "../delay.ts";
import type { PostedOptions } from "../protocol.ts";
import { storageName } from "./scope.ts";

const STORE = "memory";

export interface Remembered {
  /** Data of the engine: see `Engine.memory()`. */
  engine?: object;
  options?: PostedOptions;
}

/** Browsers have had days on which IndexedDB never answers; a start that has its options can do without. */
const RECALL_MAX_MS = 2000;

/** Returns the stored data; an empty object if there is none, or if the browser forbids storage. */
export async function recall(): Promise<Remembered> {
  try {
    const reading = transact("readonly", (store) => [store.get("engine"), store.get("options")]);
    const [engine, options] = await Promise.race([reading, delay(RECALL_MAX_MS).then(() => [])]);
    return { engine: engine as object | undefined, options: options as PostedOptions | undefined };
  } catch {
    // Private windows may forbid IndexedDB: a start without memory is only slower.
    return {};
  }
}

export async function remember(what: Remembered): Promise<void> {
  const { engine, options } = what;
  try {
    await transact("readwrite", (store) => [
      ...(engine ? [store.put(engine, "engine")] : []),
      // Those that were kept are not those of this page any more.
      ...(options ? [mayKeep(options) ? store.put(options, "options") : store.delete("options")] : []),
    ]);
  } catch {
    // As above.
  }
}

/** Returns whether the worker may store these options on disk: they must contain no secret except a non-extractable key. */
export function mayKeep(options: PostedOptions): boolean {
  const { pass, token } = options.engine;
  return pass === undefined && token === undefined && !options.answers;
}

async function transact(mode: IDBTransactionMode, use: (store: IDBObjectStore) => IDBRequest[]): Promise<unknown[]> {
  const database = await open();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const requests = use(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(requests.map((request) => request.result));
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
    });
  } finally {
    database.close();
  }
}

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(storageName(), 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = request.onblocked = () => reject(request.error);
  });
}
