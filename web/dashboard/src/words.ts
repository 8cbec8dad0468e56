// Writes values for readers, beside those of the report.

import { count } from "../../report/src/format.ts";

const UNITS = ["KiB", "MiB", "GiB", "TiB", "PiB"];

/** Writes bytes with the unit that keeps the number below 1024, as `loadgen runs list` does. */
export function bytes(value: number): string {
  if (value < 1024) return `${value} B`;
  let scaled = value;
  let unit = "";
  for (const next of UNITS) {
    if (scaled < 1024) break;
    scaled /= 1024;
    unit = next;
  }
  return `${scaled.toFixed(1)} ${unit}`;
}

/** Writes a duration in its two largest units: `3 min 20 s`. One below a minute has so many digits behind the point. */
export function duration(seconds: number, digits = 1): string {
  if (seconds < 60) return `${seconds.toFixed(digits)} s`;
  const whole = Math.round(seconds);
  const [days, hours, minutes] = [Math.floor(whole / 86_400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60];
  if (days > 0) return `${count(days)} d ${hours} h`;
  return hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min ${whole % 60} s`;
}

/** Writes the start of a run, which is the first part of its name, in UTC: the same for all readers. */
export function startOf(run: string): string {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/.exec(run);
  return match ? `${match[1]}-${match[2]}-${match[3]} ${match[4]}:${match[5]}:${match[6]}` : run;
}

/** Returns the random part of the name of a run, which tells runs of one second apart. */
export function tailOf(run: string): string {
  return run.slice(run.indexOf("-") + 1);
}

/** Writes the time of day of an RFC 3339 text, in UTC. */
export function timeOf(at: string): string {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? at : `${date.toISOString().slice(11, 19)} UTC`;
}

/** Writes a share of a core. */
export function percent(value: number | null): string {
  return value === null ? "–" : `${value.toFixed(1)} %`;
}
