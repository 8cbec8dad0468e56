// The time axis that all charts of a run share: the part of the run that they show, and the cursor.

export class TimeAxis {
  readonly #end: number;
  readonly #onRange: (() => void)[] = [];
  readonly #onCursor: (() => void)[] = [];
  #range: readonly [number, number];
  #cursor: number;

  /** Makes an axis from 0 to `end`, in seconds. */
  constructor(end: number, cursor: number) {
    this.#end = end;
    this.#range = [0, end];
    this.#cursor = Math.min(cursor, end);
  }

  get range(): readonly [number, number] {
    return this.#range;
  }

  get cursor(): number {
    return this.#cursor;
  }

  /** Calls `listener` after each change of the range. */
  onRange(listener: () => void): void {
    this.#onRange.push(listener);
  }

  /** Calls `listener` now and after each move of the cursor. */
  onCursor(listener: () => void): void {
    this.#onCursor.push(listener);
    listener();
  }

  /** Shows a part of the run, and moves the cursor into it. Bounds outside of the run are moved to its edges. */
  show(from: number, to: number): void {
    const low = Math.max(0, Math.min(from, to));
    const high = Math.min(this.#end, Math.max(from, to));
    if (high <= low) return;
    this.#range = [low, high];
    for (const listener of this.#onRange) listener();
    this.moveCursor(Math.min(Math.max(this.#cursor, low), high));
  }

  showAll(): void {
    this.show(0, this.#end);
  }

  moveCursor(time: number): void {
    const moved = Math.min(Math.max(time, 0), this.#end);
    if (moved === this.#cursor) return;
    this.#cursor = moved;
    for (const listener of this.#onCursor) listener();
  }
}
