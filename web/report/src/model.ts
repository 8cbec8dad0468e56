// The data of a report, as loadgen writes it into the page. Times are seconds from the run's start unless a name says ms.

/** The version of the format that this page reads. */
export const VERSION = 3;

export interface Report {
  readonly version: number;
  readonly scenario: string;
  readonly title: string;
  readonly description: string | null;
  readonly verdict: "PASS" | "FAIL" | "INCONCLUSIVE";
  readonly reasons: readonly string[];
  readonly seed: number;
  readonly started_at: string;
  readonly wall_s: number;
  readonly environment: Environment;
  readonly regions: readonly string[];
  readonly servers: readonly { readonly name: string; readonly region: string }[];
  readonly rtt_ms: readonly { readonly a: string; readonly b: string; readonly ms: number }[];
  /** One sentence for each fault and population, ready to show. */
  readonly sentences: readonly string[];
  readonly thresholds: readonly Threshold[];
  readonly notes: readonly string[];
  /** One run for each strategy and repetition. */
  readonly runs: readonly Run[];
}

export interface Environment {
  readonly loadgen: string;
  readonly nats_servers: readonly { readonly version: string; readonly servers: number }[];
  readonly os: string;
  readonly cores: number;
  readonly wan: string;
  readonly wan_limits: readonly string[];
  /** A line about each agent that played clients. */
  readonly agents?: readonly string[];
}

export interface Threshold {
  readonly text: string;
  readonly measured: string | null;
  /** `null` if the run could not judge it. */
  readonly holds: boolean | null;
}

export interface Run {
  readonly strategy: string;
  readonly repetition: number;
  readonly duration_s: number;
  readonly phases: readonly Phase[];
  readonly faults: readonly Fault[];
  /** Width of a slot of the series. */
  readonly step_s: number;
  readonly series: readonly Series[];
  readonly clients: readonly Client[];
  readonly failovers: readonly Failover[];
  readonly matrix: readonly MatrixCell[];
  /** Reports of earlier versions of loadgen have neither of the next two. */
  readonly deliveries?: readonly DeliveryRow[];
  readonly stores?: readonly StoreRow[];
  readonly collected?: readonly Collected[];
  readonly ledger: readonly LedgerRow[];
  readonly schedule_lag_p99_ms: number | null;
}

/** A figure of another system over time. */
export interface Collected {
  readonly source: string;
  readonly figure: string;
  /** Time since the first phase in seconds, and value. */
  readonly values: readonly (readonly [number, number])[];
}

export interface Phase {
  readonly name: string;
  readonly from_s: number;
  readonly to_s: number;
}

export interface Fault {
  readonly id: number;
  readonly text: string;
  readonly from_s: number;
  /** `null` if it lasted until the run's end. */
  readonly to_s: number | null;
}

/** Requests of one population in one region; each list has one value for each slot. */
export interface Series {
  readonly population: string;
  readonly region: string;
  readonly ok: readonly number[];
  readonly failed: readonly number[];
  readonly p50_ms: readonly (number | null)[];
  readonly p99_ms: readonly (number | null)[];
  readonly max_ms: readonly (number | null)[];
}

export interface Client {
  readonly population: string;
  /** Region where the client runs. */
  readonly region: string;
  readonly number: number;
  /** Each change: its time, and the region that the client is connected to from then on; `null` while offline. */
  readonly states: readonly (readonly [number, string | null])[];
}

/** The failover of one client after one fault that hit it. */
export interface Failover {
  readonly fault: number;
  readonly population: string;
  readonly region: string;
  readonly client: number;
  readonly from: string;
  readonly to: string | null;
  /** `null` if no request was answered before the fault ended. */
  readonly total_ms: number | null;
  readonly detection_ms: number | null;
  readonly selection_ms: number | null;
  readonly reconnect_ms: number | null;
  readonly resume_ms: number | null;
  /** Round trips that no client can save. */
  readonly limit_ms: number | null;
}

export interface MatrixCell {
  readonly phase: string;
  readonly from: string;
  readonly to: string;
  readonly n: number;
  readonly p50_ms: number | null;
  readonly p99_ms: number | null;
}

/** How long messages took to a receiver. */
export interface DeliveryRow {
  readonly workload: string;
  readonly population: string;
  readonly region: string;
  readonly n: number;
  readonly p50_ms: number | null;
  readonly p99_ms: number | null;
  readonly max_ms: number | null;
}

/** Puts and gets of clients in one region. */
export interface StoreRow {
  readonly workload: string;
  readonly population: string;
  readonly region: string;
  readonly puts: number;
  readonly gets: number;
  readonly failed: number;
  readonly stale: number;
  readonly corrupt: number;
  readonly put_p50_ms: number | null;
  readonly put_p99_ms: number | null;
  readonly get_p50_ms: number | null;
  readonly get_p99_ms: number | null;
}

export interface LedgerRow {
  readonly workload: string;
  readonly population: string;
  /** The stream or the receiver. */
  readonly stream: string;
  readonly attempted: number;
  readonly acknowledged: number | null;
  readonly delivered: number | null;
  readonly lost_prefix: number;
  readonly lost_middle: number;
  readonly lost_suffix: number;
  readonly duplicated: number;
  /** Reports of earlier versions have none. */
  readonly redelivered?: number;
  readonly reordered: number;
  readonly unexpected: number;
  readonly unverified: number;
}

/** Reads the data that stands in the page. Throws an error whose message names the problem and the remedy. */
export function readReport(text: string): Report {
  // The placeholder is not spelled out: loadgen replaces each place where it stands.
  if (/^__[A-Z_]+__$/.test(text.trim())) throw new Error("This page has no data. It is the empty template inside loadgen: open the report.html that a run wrote.");
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (error) {
    throw new Error(`The data in this page is not valid JSON (${(error as Error).message}). The file may be cut off: copy it again from the run's folder.`);
  }
  const { version } = (data ?? {}) as Partial<Report>;
  if (version !== VERSION) throw new Error(`This page reads reports of version ${VERSION}, but its data has version ${String(version)}. Write the report again with one loadgen.`);
  return data as Report;
}

/** Returns the populations of a run, in the order of its clients and series. */
export function populationsOf(run: Run): string[] {
  return [...new Set([...run.clients, ...run.series, ...run.failovers].map(({ population }) => population))];
}

/** Returns the fault's end, or the run's end for a fault that nobody healed. */
export function endOf(fault: Fault, run: Run): number {
  return fault.to_s ?? run.duration_s;
}
