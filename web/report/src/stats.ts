// Computes figures from lists: quantiles, samples, counts over time. Nothing here knows the page.

import type { Client } from "./model.ts";

/** Returns the nearest-rank quantile of ascending values, as loadgen does: always a value that was measured. */
export function quantile(ascending: readonly number[], share: number): number | null {
  const rank = Math.ceil(share * ascending.length);
  return ascending[Math.max(rank, 1) - 1] ?? null;
}

/** Returns the numbers in ascending order, without `null`. */
export function ascending(values: readonly (number | null)[]): number[] {
  return values.filter((value) => value !== null).sort((a, b) => a - b);
}

/** Returns at most `max` (3 or more) evenly spread indices of a list, with the first, the middle and the last one. */
export function evenly(length: number, max: number): number[] {
  if (length <= max) return Array.from({ length }, (_, index) => index);
  const middle = Math.max(Math.ceil(length / 2), 1) - 1;
  const spread = Array.from({ length: max - 1 }, (_, index) => Math.round((index * (length - 1)) / (max - 2)));
  return [...new Set([...spread, middle])].sort((a, b) => a - b);
}

/** Returns at most `max` points of an empirical distribution: the share of `n` cases that took at most `x`. */
export function distribution(ascendingValues: readonly number[], n: number, max: number): { x: number; share: number }[] {
  return evenly(ascendingValues.length, max).map((index) => ({ x: ascendingValues[index] ?? 0, share: (index + 1) / n }));
}

/** Returns the region of a client at a time: `null` while offline, `undefined` before its first state. */
export function stateAt(client: Client, time: number): string | null | undefined {
  let state: string | null | undefined;
  for (const [since, region] of client.states) {
    if (since > time) break;
    state = region;
  }
  return state;
}

/** Counts the clients in each place (a region, or `null`) at each of the ascending times. */
export function countsAt(clients: readonly Client[], places: readonly (string | null)[], times: readonly number[]): number[][] {
  const changes = places.map(() => new Float64Array(times.length + 1));
  const rows = new Map(places.map((place, index) => [place, index]));
  for (const { states } of clients) {
    states.forEach(([since, place], index) => {
      const row = changes[rows.get(place) ?? -1];
      if (!row) return;
      const next = states[index + 1]?.[0] ?? Infinity;
      const from = firstAtLeast(times, since);
      const to = firstAtLeast(times, next);
      row[from] = (row[from] ?? 0) + 1;
      row[to] = (row[to] ?? 0) - 1;
    });
  }
  return changes.map((row) => {
    let count = 0;
    return times.map((_, index) => (count += row[index] ?? 0));
  });
}

/** Returns the index of the first ascending value that is not below `limit`, or their number if there is none. */
export function firstAtLeast(values: readonly number[], limit: number): number {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((values[middle] ?? Infinity) < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Splits a list by a key; groups and members keep their order. */
export function grouped<T>(list: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of list) {
    const name = key(item);
    const group = groups.get(name);
    if (group) group.push(item);
    else groups.set(name, [item]);
  }
  return groups;
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Returns the largest value, and 0 of an empty list. Works on lists that are too long for `Math.max(...list)`. */
export function largest(values: readonly (number | null)[]): number {
  return values.reduce((most: number, value) => (value !== null && value > most ? value : most), 0);
}
