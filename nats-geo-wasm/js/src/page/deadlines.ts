// Deadlines: the last resort against an operation that nobody answers. The engine keeps the real limits.

/** The engine's own answer comes at the limit, and then through a port. */
const GRACE_MS = 2000;
const CHECK_EVERY_MS = 1000;

export class Deadlines {
  #deadlines = new Map<number, number>();
  #onMissed: (operation: number) => void;
  #timer: ReturnType<typeof setInterval> | undefined;
  #lastCheck = 0;

  constructor(onMissed: (operation: number) => void) {
    this.#onMissed = onMissed;
  }

  set(operation: number, waitMs: number): void {
    const now = performance.now();
    this.#deadlines.set(operation, now + waitMs + GRACE_MS);
    if (this.#timer !== undefined) return;
    this.#lastCheck = now;
    this.#timer = setInterval(() => this.#check(), CHECK_EVERY_MS);
  }

  met(operation: number): void {
    this.#deadlines.delete(operation);
  }

  clear(): void {
    this.#deadlines.clear();
  }

  #check(): void {
    const now = performance.now();
    const late = now - this.#lastCheck - CHECK_EVERY_MS;
    this.#lastCheck = now;
    // The page slept, or its timers are held back: the answers may be waiting right behind this task.
    if (late > GRACE_MS) {
      for (const [operation, deadline] of this.#deadlines) this.#deadlines.set(operation, Math.max(deadline, now + GRACE_MS));
      return;
    }
    for (const [operation, deadline] of this.#deadlines) {
      if (now < deadline) continue;
      this.#deadlines.delete(operation);
      this.#onMissed(operation);
    }
    if (this.#deadlines.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
