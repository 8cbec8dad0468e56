// The meaning of events about agents: rates between two of them, and sentences.

import { count, plural } from "../../report/src/format.ts";
import type { AgentRow, Crew, PlayStatus } from "./model.ts";
import { duration } from "./words.ts";

/** An agent that was not heard for so long is in trouble: agents give a sign of life each second. `loadgen run` waits as long. */
const SILENT_S = 10;
/** Rates over less than this would jump: agents count anew each second, and not all at once. */
const RATE_OVER_S = 0.5;
/** If the time of the timeline stands still for so long, no agent of the run is left. */
const STOPPED_S = 5;

/** Counts of operations that succeeded, by region, and the times that they belong to. */
interface Reading {
  /** Time of the event, in seconds. */
  readonly seen: number;
  /** Time on the timeline, in seconds. */
  readonly played: number;
  readonly ok: ReadonlyMap<string, number>;
}

/** Rates of operations that succeeded, by region. */
export class Rates {
  #last: Reading | undefined;
  #rates: ReadonlyMap<string, number> = new Map();

  /** Takes the next event, and returns operations per second. A region has no rate until its second event. */
  add({ at, status }: Pick<Crew, "at" | "status">): ReadonlyMap<string, number> {
    const next = status === null ? undefined : reading(at, status);
    const last = this.#last;
    if (next === undefined || last === undefined || isNewPlay(last, next)) return this.#keep(next, new Map());
    // The counts belong to the time on the timeline: events come between two signs of life.
    const played = next.played - last.played;
    if (played >= RATE_OVER_S) return this.#keep(next, ratesBetween(last, next, played));
    const seen = next.seen - last.seen;
    return seen >= STOPPED_S ? this.#keep(next, ratesBetween(last, next, seen)) : this.#rates;
  }

  #keep(last: Reading | undefined, rates: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
    this.#last = last;
    this.#rates = rates;
    return rates;
  }
}

function reading(at: string, { at_s, regions }: PlayStatus): Reading {
  return { seen: Date.parse(at) / 1000, played: at_s, ok: new Map(regions.map(({ name, ok }) => [name, ok])) };
}

/** Counts never fall within a play. */
function isNewPlay(last: Reading, next: Reading): boolean {
  return next.played < last.played || [...next.ok].some(([region, ok]) => ok < (last.ok.get(region) ?? 0));
}

function ratesBetween(last: Reading, next: Reading, seconds: number): ReadonlyMap<string, number> {
  return new Map([...next.ok].flatMap(([region, ok]) => {
    const before = last.ok.get(region);
    return before === undefined ? [] : [[region, (ok - before) / seconds] as const];
  }));
}

/** Returns a sentence about the run, without its period. */
export function describeRun({ run, agents, status }: Pick<Crew, "run" | "agents" | "status">): string {
  if (run === null) return describeWaiting(agents.length);
  const time = status === null ? "no agent plays yet" : `${duration(Math.floor(status.at_s), 0)} of ${duration(status.lasts_s, 0)}`;
  return `${describePhase(run)}, ${time}`;
}

/** Returns the same sentence without its times, which change with each event. */
export function describeState({ run, agents }: Pick<Crew, "run" | "agents">): string {
  return run === null ? describeWaiting(agents.length) : `${describePhase(run)}, ${plural(agents.length, "agent")}`;
}

function describeWaiting(agents: number): string {
  return agents === 0 ? "No run goes on, and no agent is connected" : `No run goes on: ${plural(agents, "agent")} ${agents === 1 ? "waits" : "wait"}`;
}

function describePhase({ scenario, phase }: NonNullable<Crew["run"]>): string {
  return `${scenario}, ${phase === null ? "before the first phase" : `phase ${phase}`}`;
}

/** Returns a sentence about agents that are silent, if there are some. */
export function describeSilent(agents: readonly AgentRow[]): string[] {
  const silent = agents.filter(isSilent);
  if (silent.length === 0) return [];
  const reason = silent.length === 1 ? "It ended, or does not reach the back channel" : "They ended, or do not reach the back channel";
  return [`No sign of life for ${SILENT_S} s from ${names(silent)}. ${reason}.`];
}

/** Returns a sentence about agents whose region the run does not have, if there are some. */
export function describeIdle({ agents, status }: Pick<Crew, "agents" | "status">): string {
  const idle = status === null ? [] : agents.filter(({ region }) => !status.regions.some(({ name }) => name === region));
  if (idle.length === 0) return "";
  return `${names(idle)} ${idle.length === 1 ? "plays" : "play"} no clients, because the run does not have ${idle.length === 1 ? "its region" : "their regions"}.`;
}

export function isSilent({ heard_s }: Pick<AgentRow, "heard_s">): boolean {
  return heard_s !== null && heard_s >= SILENT_S;
}

/** Returns the sum of clients by population: `geo 6, stock 3`. */
export function describePopulations({ populations, regions }: PlayStatus): string {
  return populations.map((name, index) => `${name} ${count(sum(regions.map(({ connected }) => connected[index] ?? 0)))}`).join(", ");
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function names(agents: readonly AgentRow[]): string {
  return agents.map(({ name }) => `\`${name}\``).join(", ");
}
