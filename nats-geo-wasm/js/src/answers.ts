// Answers: the requests that a handler works on. A drain waits for them.

export class Answers {
  #open = new Set<object>();
  #waiting: (() => void)[] = [];

  /** Records that a handler has begun to work on this request. */
  begin(request: object): void {
    this.#open.add(request);
  }

  /** Records that the request was answered, or that its handler has ended. */
  end(request: object): void {
    this.#open.delete(request);
    if (this.#open.size === 0) for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Resolves when no handler works on a request. */
  settled(): Promise<void> {
    return this.#open.size === 0 ? Promise.resolve() : new Promise((resolve) => this.#waiting.push(resolve));
  }
}
