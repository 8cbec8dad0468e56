// Options: nats-core's names checked and turned into the engine's.

import type { Authenticator, ConnectionOptions, NkeyCredentials } from "../types/nats.js";
import { InvalidArgumentError, MixedContentError } from "./errors.ts";

/** Default time limit for the first connection, as in nats-core. */
export const TIMEOUT_DEFAULT_MS = 20_000;

/** Options for the constructor of the engine. They are plain data, so that a page can post them to the worker. */
export interface EngineOptions {
  servers: string[];
  preset?: string;
  warmStandby?: boolean;
  config?: Record<string, unknown>;
  name?: string;
  user?: string;
  pass?: string;
  token?: string;
  auth?: "callback";
  noEcho?: boolean;
  inboxPrefix?: string;
  connectTimeoutMs: number;
  retryInitialConnect?: boolean;
  publishWaitMs?: number;
  maxControlLine?: number;
  ignoreDiscovered?: boolean;
  seed?: number;
  memory?: object;
  atMostOnce?: boolean;
}

/** Options for the engine, and separately the options that the engine cannot take. */
export interface ParsedOptions {
  readonly engine: EngineOptions;
  readonly authenticator?: Authenticator;
  readonly credentials?: NkeyCredentials;
  readonly drainTimeoutMs?: number;
}

/** What decides in nats-core and would have no effect here: silence would be a lie. */
const REFUSED: Record<string, string> = {
  reconnectToServer: "nats-geo chooses the server by itself",
  reconnectDelayHandler: "nats-geo spaces its dials by itself; see `preset`",
  wsFactory: "the engine opens its own WebSockets",
  port: "name the port in `servers`",
};

/** Accepted, without effect; listed in the documentation of `ConnectionOptions`. */
const IGNORED = [
  "reconnect", "maxReconnectAttempts", "reconnectTimeWait", "reconnectJitter", "reconnectJitterTLS", "pingInterval", "maxPingOut", "noRandomize",
  "ignoreAuthErrorAbort", "noAsyncTraces", "resolve", "debug", "verbose", "pedantic", "tls",
];

const KNOWN: Record<string, string> = {
  name: "string", user: "string", pass: "string", token: "string", timeout: "number", noEcho: "boolean", inboxPrefix: "string", ignoreClusterUpdates: "boolean",
  preset: "string", warmStandby: "boolean", waitOnFirstConnect: "boolean", backgroundConnect: "boolean", publishWait: "number", drainTimeout: "number", maxControlLine: "number", atMostOnce: "boolean", config: "object", seed: "number", credentials: "object",
};

/** The part of a location that says whether the page was loaded over HTTPS. */
export type Origin = Pick<Location, "protocol">;

export function parseOptions(options: ConnectionOptions = {}, origin: Origin | undefined = globalThis.location): ParsedOptions {
  checkNames(options);
  checkLimit("timeout", options.timeout);
  checkLimit("drainTimeout", options.drainTimeout);
  const authenticators = options.authenticator === undefined ? [] : [options.authenticator].flat();
  const credentials = options.credentials;
  const engine: EngineOptions = {
    servers: parseServers(options.servers, origin),
    preset: options.preset,
    warmStandby: options.warmStandby,
    config: options.config,
    name: options.name,
    user: options.user,
    pass: options.pass,
    token: options.token,
    auth: authenticators.length > 0 || credentials ? "callback" : undefined,
    noEcho: options.noEcho,
    inboxPrefix: options.inboxPrefix,
    connectTimeoutMs: options.timeout ?? TIMEOUT_DEFAULT_MS,
    retryInitialConnect: options.waitOnFirstConnect || options.backgroundConnect || undefined,
    publishWaitMs: options.publishWait,
    maxControlLine: options.maxControlLine,
    ignoreDiscovered: options.ignoreClusterUpdates,
    seed: options.seed,
    atMostOnce: options.atMostOnce,
  };
  for (const [name, value] of Object.entries(engine)) if (value === undefined) delete engine[name as keyof EngineOptions];
  return { engine, authenticator: authenticators.length > 0 ? combine(authenticators) : undefined, credentials, drainTimeoutMs: options.drainTimeout };
}

/** The longest that timers take. */
const LIMIT_MAX = 2 ** 31 - 1;

/** Throws if the value is not a valid time or number; accepts `undefined`. */
export function checkLimit(name: string, value: number | undefined): void {
  if (value !== undefined && !(Number.isFinite(value) && value > 0 && value <= LIMIT_MAX)) throw new InvalidArgumentError(`${name} is ${value}: it must be more than 0, and at most ${LIMIT_MAX}`);
}

/** Checks and completes the addresses of servers. Throws before the client dials a server. */
export function parseServers(servers: string | string[] | undefined, origin: Origin | undefined = globalThis.location): string[] {
  const given = [servers ?? []].flat();
  // Before the commas are looked at: a password may have one, and its parts would be taken for servers.
  given.forEach(refuseCredentials);
  const list = given.flatMap((entry) => (typeof entry === "string" ? entry.split(",") : [entry]));
  if (list.length === 0) throw new InvalidArgumentError('servers is empty: name at least one, such as "wss://nats.example.org"');
  return list.map((entry) => parseServer(entry, origin));
}

function refuseCredentials(entry: unknown): void {
  if (typeof entry !== "string" || !entry.includes("@")) return;
  throw new InvalidArgumentError(`server ${shown(entry)} carries credentials: browsers refuse that; use the options user and pass, or token; write an @ of a path as %40`);
}

/** An address for people: what stands before an @ or in a query may be a secret. */
function shown(entry: string): string {
  return JSON.stringify(entry.replace(/.*@/s, "***@").replace(/\?.*/s, "?***"));
}

function parseServer(entry: unknown, origin: Origin | undefined): string {
  if (typeof entry !== "string") throw new InvalidArgumentError(`servers holds ${JSON.stringify(entry)}, which is no string`);
  const [, region = "", address = ""] = /^\s*(?:([^=:/?]+)=)?(.*?)\s*$/.exec(entry) ?? [];
  const secure = origin?.protocol === "https:";
  const complete = /^[a-z][a-z0-9+.-]*:\/\//i.test(address) ? address : `${secure ? "wss" : "ws"}://${address}`;
  const url = address ? URL.parse?.(complete) ?? tryUrl(complete) : undefined;
  if (!url) throw new InvalidArgumentError(`server ${shown(entry)} is no address: write "wss://host:port"`);
  if (url.protocol !== "ws:" && url.protocol !== "wss:") {
    throw new InvalidArgumentError(`server ${shown(entry)} has the scheme ${url.protocol}// which browsers cannot open: use the server's websocket port with wss:// or ws://`);
  }
  if (secure && url.protocol === "ws:" && !isLoopback(url.hostname)) {
    throw new MixedContentError(`server ${shown(entry)}: a page loaded by https cannot open ws://; use wss://`);
  }
  return `${region ? `${region.trim()}=` : ""}${complete}`;
}

function tryUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

/** Browsers hold loopback to be as safe as TLS. */
function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname.endsWith(".localhost") || hostname === "[::1]" || /^127\./.test(hostname);
}

function checkNames(options: ConnectionOptions): void {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || IGNORED.includes(name) || name === "servers") continue;
    const refused = REFUSED[name];
    if (refused) throw new InvalidArgumentError(`the option \`${name}\` is not supported: ${refused}`);
    if (name === "authenticator") {
      if ([value].flat().some((one) => typeof one !== "function")) throw new InvalidArgumentError("option authenticator must be a function, or an array of functions");
      continue;
    }
    const wanted = KNOWN[name];
    if (!wanted) throw new InvalidArgumentError(`option ${name} is unknown`);
    if (typeof value !== wanted || value === null || Array.isArray(value)) throw new InvalidArgumentError(`option ${name} must be a ${wanted}, not ${value === null ? value : typeof value}`);
    if (wanted === "number" && !(Number.isFinite(value) && (value as number) >= 0)) throw new InvalidArgumentError(`option ${name} is ${value}: it must be 0 or more`);
  }
}

/** Several authenticators give one answer, later ones completing it, as in nats-core. */
function combine(authenticators: Authenticator[]): Authenticator {
  return async (nonce) => {
    const answers = await Promise.all(authenticators.map((one) => one(nonce)));
    return Object.assign({}, ...answers);
  };
}
