// The data of loadgen's dashboard API. Names and meanings are those of `loadgen/src/store`, `loadgen/src/look` and `loadgen/src/dashboard`.

export type State = "PASS" | "FAIL" | "INCONCLUSIVE" | "UNFINISHED";

/** A run in a list. */
export interface Entry {
  readonly run: string;
  readonly state: State;
  /** 0 of a run that is not finished. */
  readonly duration_ms: number;
  readonly bytes: number;
  readonly scenario: string;
}

export interface RunList {
  readonly store: string;
  readonly runs: readonly Entry[];
  /** Runs that the filter lets through. */
  readonly matching: number;
  /** All runs of the store. */
  readonly total: number;
  readonly scenarios: readonly string[];
}

export interface Manifest {
  readonly run: string;
  readonly scenario: string;
  readonly title: string;
  readonly scenario_sha256: string;
  readonly changes: readonly string[];
  readonly verdict: "PASS" | "FAIL" | "INCONCLUSIVE";
  readonly seed: number;
  readonly started_at: string;
  readonly duration_s: number;
  readonly loadgen: string;
  readonly nats_servers: readonly { readonly version: string; readonly servers: number }[];
  readonly wan: string;
  readonly host: { readonly name: string; readonly os: string; readonly kernel: string; readonly cores: number };
  readonly files: readonly { readonly path: string; readonly size: number; readonly sha256: string }[];
}

/** The parts that all events with data have. */
export interface Moment {
  /** RFC 3339. */
  readonly at: string;
  /** Time between two events, or the pause between them. */
  readonly every_s: number;
}

/** The reason why there is nothing new, with the remedy. */
export interface Trouble {
  /** RFC 3339. */
  readonly at: string;
  readonly reason: string;
}

/** A super-cluster at one moment. */
export interface Overview extends Moment {
  readonly summary: string;
  readonly servers: readonly ServerRow[];
  readonly totals: { readonly clusters: number; readonly servers: number; readonly connections: number; readonly leaf_nodes: number; readonly slow_consumers: number; readonly memory_bytes: number };
  readonly clusters: readonly { readonly cluster: string; readonly nodes: number; readonly gateways_out: number; readonly gateways_in: number; readonly connections: number }[];
  readonly gateways: readonly GatewayRow[];
  readonly leafs: readonly { readonly hub: string; readonly leaf: string; readonly accounts: readonly string[]; readonly rtt_ms: number | null }[];
  /** SVG. */
  readonly drawing: string;
  readonly meta: readonly MetaRow[];
  readonly accounts: readonly AccountStreams[];
  /** Servers that the others know, but that did not answer. */
  readonly silent: number;
  readonly failed: readonly string[];
  /** Round-trip times that `loadgen up` emulates, by pair of regions; empty for any other super-cluster. */
  readonly emulated: Readonly<Record<string, number>>;
}

/** Gateways between two clusters. */
export interface GatewayRow {
  readonly a: string;
  readonly b: string;
  readonly from_a: number;
  readonly from_b: number;
  readonly complete: boolean;
  readonly rtt_ms: number | null;
}

export interface ServerRow {
  readonly cluster: string;
  readonly name: string;
  readonly id: string;
  readonly version: string;
  readonly connections: number;
  readonly subscriptions: number;
  readonly peers: number;
  readonly routes: number;
  readonly gateways_out: number;
  readonly gateways_in: number;
  readonly leaf_nodes: number | null;
  readonly memory_bytes: number;
  readonly cpu_percent: number;
  readonly slow_consumers: number;
  readonly uptime_s: number | null;
  readonly rtt_ms: number;
}

export interface MetaRow {
  readonly domain: string;
  /** Empty if no server knows a leader. */
  readonly leader: string;
  readonly servers: number;
  readonly answered: number;
  readonly disagree: readonly string[];
  readonly behind: readonly { readonly server: string; readonly offline: boolean; readonly active_s: number; readonly lag: number }[];
}

export interface AccountStreams {
  readonly account: string;
  readonly streams: readonly StreamRow[];
  readonly replication: readonly ReplicationRow[];
}

export interface StreamRow {
  readonly domain: string;
  readonly stream: string;
  readonly storage: string;
  readonly consumers: number;
  readonly messages: number;
  readonly bytes: number;
  readonly lost_messages: number;
  readonly replicas: readonly { readonly server: string; readonly leader: boolean; readonly current: boolean }[];
}

export interface ReplicationRow {
  readonly domain: string;
  readonly stream: string;
  readonly kind: "mirror" | "source";
  readonly source: string;
  readonly active_s: number | null;
  readonly lag: number;
  readonly error: string;
}

/** The agents of a back channel at one moment, and the run that they play. */
export interface Crew extends Moment {
  /** `null`: no run goes on. */
  readonly run: { readonly scenario: string; readonly phase: string | null } | null;
  readonly agents: readonly AgentRow[];
  /** All agents together; `null` while none of them plays. */
  readonly status: PlayStatus | null;
}

export interface AgentRow {
  readonly name: string;
  readonly region: string;
  readonly host: string;
  readonly pid: number;
  readonly cores: number;
  readonly version: string;
  /** Time since its last sign of life; `null`: there was none yet. */
  readonly heard_s: number | null;
}

export interface PlayStatus {
  /** Time since the start of the timeline. */
  readonly at_s: number;
  /** Planned length of the timeline. */
  readonly lasts_s: number;
  readonly populations: readonly string[];
  readonly regions: readonly RegionRow[];
  /** At most three, the newest last. */
  readonly moves: readonly { readonly at_s: number; readonly text: string }[];
}

export interface RegionRow {
  readonly name: string;
  readonly rtt_ms: number | null;
  /** Clients that are connected to servers of this region, by population. */
  readonly connected: readonly number[];
  /** Clients of this region that have no connection. */
  readonly offline: number;
  /** Operations of clients of this region that succeeded since the start. */
  readonly ok: number;
  /** Operations of clients of this region that failed since the start. */
  readonly failed: number;
}

/** The rights of the reader. */
export interface Session {
  readonly role: "view" | "operate";
  /** Whether the dashboard has a token for operators. */
  readonly operable: boolean;
  readonly loadgen: string;
}

/** The super-cluster of `loadgen up`. */
export interface UpState extends Moment {
  readonly regions: readonly { readonly name: string; readonly is_silent: boolean; readonly servers: readonly { readonly name: string; readonly state: string; readonly is_silent: boolean }[] }[];
  /** By pair of regions, such as `lon-ams`. */
  readonly rtt_ms: Readonly<Record<string, number>>;
  /** An order that takes time. */
  readonly busy: string | null;
  readonly faults: readonly { readonly number: number; readonly fault: string; readonly ends_at: string | null }[];
  /** The last orders, the newest first. `error` is `null` if loadgen carried the order out. */
  readonly orders: readonly { readonly at: string; readonly order: string; readonly error: string | null }[];
}

/** A region, or a server, that takes orders. */
export interface Target {
  readonly name: string;
  readonly isRegion: boolean;
  /** The state of each of its servers: `up`, `dead`, `paused`, `ending` or `a lame duck`. */
  readonly states: readonly string[];
  readonly isSilent: boolean;
}

/** An order of an operator, as `loadgen/src/up/control.rs` reads it. */
export type Order =
  | { readonly do: "kill" | "pause" | "retire" | "silence" | "heal"; readonly target: string }
  | { readonly do: "set-rtt"; readonly between: readonly [string, string]; readonly rtt_ms: number }
  | { readonly do: "inject"; readonly fault: string; readonly lasts_ms: number | null }
  | { readonly do: "undo"; readonly number: number | null };
