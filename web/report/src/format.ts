// Writes numbers for readers.

const NONE = "–";
const COUNT = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });

export function count(value: number | null): string {
  return value === null ? NONE : COUNT.format(value);
}

/** Writes a time with at most three digits, in the unit that fits. */
export function milliseconds(value: number | null): string {
  if (value === null) return NONE;
  if (value >= 10_000) return `${(value / 1000).toFixed(1)} s`;
  if (value >= 1000) return `${(value / 1000).toFixed(2)} s`;
  return value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`;
}

export function seconds(value: number): string {
  return `${value.toFixed(Number.isInteger(value) ? 0 : 1)} s`;
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;
}

/** Writes a number for an axis: 12 000 as `12k`. */
export function short(value: number): string {
  if (Math.abs(value) >= 1e6) return `${value / 1e6}M`;
  return Math.abs(value) >= 1e4 ? `${value / 1e3}k` : String(Number(value.toPrecision(6)));
}

/** Writes milliseconds for an axis: 2000 as `2 s`. */
export function tick(ms: number): string {
  return ms >= 1000 ? `${short(ms / 1000)} s` : `${short(ms)} ms`;
}

/** Writes a number with its noun: `1 client`, `2 clients`. */
export function plural(number: number, noun: string): string {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}
