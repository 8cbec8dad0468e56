// Answers: the requests that a handler works on. A drain waits for them.

export class Answers {
  #open = new Set<object>();
  #waiting: (() => void)[] = [];

  /** A handler works on this request from now on. */
  begin(request: object): void {
    this.#open.add(request);
  }

  /** It was answered, or its handler has left it. */
  end(request: object): void {
    this.#open.delete(request);
    if (this.#open.size === 0) for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Resolves when no request is worked on. */
  settled(): Promise<void> {
    return this.#open.size === 0 ? Promise.resolve() : new Promise((resolve) => this.#waiting.push(resolve));
  }
}
