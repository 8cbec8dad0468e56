// Deadline: the moment by which a step must be over, shared by all steps of one call.

export class Deadline {
  #at: number;

  /** `ms`: milliseconds from now. */
  constructor(ms: number) {
    this.#at = performance.now() + ms;
  }

  /** Milliseconds that are left, 0 when there are none; at most `max`. */
  left(max = Number.POSITIVE_INFINITY): number {
    return Math.max(0, Math.min(max, this.#at - performance.now()));
  }
}

/** Timers that are set for longer fire at once. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** Settles as `promise` does, or rejects with `late(ms)` after `ms` milliseconds. */
export async function limited<T>(promise: Promise<T>, ms: number, late: (ms: number) => Error): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const end = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(late(Math.round(ms))), Math.min(ms, TIMER_MAX_MS));
  });
  try {
    return await Promise.race([promise, end]);
  } finally {
    clearTimeout(timer);
  }
}
