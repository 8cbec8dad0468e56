// Queue: what is pushed on one side is taken by `for await` on the other.

/** An async iterator that returns the items passed to `push`. After its end, the reader still gets the items that wait. */
export class Queue<T> implements AsyncIterableIterator<T> {
  #items: T[] = [];
  #head = 0;
  #waiting: { resolve: (result: IteratorResult<T>) => void; reject: (error: Error) => void }[] = [];
  #end: { error?: Error } | undefined;
  #onReturn: () => void;
  #onTake: ((item: T) => void) | undefined;
  #onNext: (() => void) | undefined;

  /**
   * Callbacks: `onReturn` when the reader leaves its loop, `onTake` when it takes an item, `onNext` when it has finished
   * the item before.
   */
  constructor(onReturn: () => void = () => {}, onTake?: (item: T) => void, onNext?: () => void) {
    this.#onReturn = onReturn;
    this.#onTake = onTake;
    this.#onNext = onNext;
  }

  /** Number of items that wait. */
  get pending(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    if (this.#end) return;
    const reader = this.#waiting.shift();
    if (!reader) {
      this.#items.push(item);
      return;
    }
    this.#onTake?.(item);
    reader.resolve({ value: item, done: false });
  }

  /** Ends the iteration after the items that wait. If there is an error, the iterator then throws it. */
  end(error?: Error): void {
    if (this.#end) return;
    this.#end = { error };
    // Readers wait only while nothing else does, so the end is all that is left for them.
    for (const reader of this.#waiting.splice(0)) this.#finish(reader.resolve, reader.reject);
  }

  /** Ends the iteration now. */
  stop(): void {
    this.#items = [];
    this.#head = 0;
    this.end();
  }

  next(): Promise<IteratorResult<T>> {
    this.#onNext?.();
    return new Promise((resolve, reject) => {
      if (this.pending > 0) {
        const value = this.#shift();
        this.#onTake?.(value);
        resolve({ value, done: false });
      } else if (this.#end) {
        this.#finish(resolve, reject);
      } else {
        this.#waiting.push({ resolve, reject });
      }
    });
  }

  return(): Promise<IteratorResult<T>> {
    this.stop();
    this.#onReturn();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #finish(resolve: (result: IteratorResult<T>) => void, reject: (error: Error) => void): void {
    const error = this.#end?.error;
    if (!error) return resolve({ value: undefined, done: true });
    // Thrown once: a second look finds the end.
    this.#end = {};
    reject(error);
  }

  #shift(): T {
    const item = this.#items[this.#head] as T;
    this.#head += 1;
    // Copying the rest only when half is taken keeps a long queue linear.
    if (this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}
