// Deadline: the moment by which a step must be over, shared by all steps of one call.

export class Deadline {
  #at: number;

  /** `ms`: milliseconds from now to the deadline. */
  constructor(ms: number) {
    this.#at = performance.now() + ms;
  }

  /** Returns the milliseconds that are left, but at most `max`; 0 after the deadline. */
  left(max = Number.POSITIVE_INFINITY): number {
    return Math.max(0, Math.min(max, this.#at - performance.now()));
  }
}

/** Timers that are set for longer fire at once. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** Returns a promise that settles like `promise`, or rejects with `late(ms)` after `ms` milliseconds. */
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
