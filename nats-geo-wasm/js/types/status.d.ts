/** Events of a connection, which `status()` returns. */

/** Names of the events of nats-geo. Rust, `tracing` and the book's page Troubleshooting use the same names. */
export type StatusType =
  | "connected"
  | "dialing"
  | "opened"
  | "openFailed"
  | "suspected"
  | "cleared"
  | "lost"
  | "lameDuck"
  | "moved"
  | "standbyReady"
  | "damped"
  | "otherCluster"
  | "labelContradicted"
  | "credentialsRefused"
  | "offline"
  | "breakBeforeMake"
  | "stalled"
  | "subscriptionRefused"
  | "publishRefused"
  | "slowConsumer"
  | "streamReset"
  | "unreadableMessage"
  | "probe"
  | "discarded"
  | "worker";

/**
 * Names of nats-core, for ported code. The client emits each after its own event: `disconnect` after `lost` (active link) or
 * `worker` (the page lost its service worker), `reconnect` after `moved`, and `ldm` after `lameDuck`. `error` has an `Error`,
 * and `close` is the last status. nats-geo never emits the others.
 */
export type NatsCoreStatusType =
  | "disconnect"
  | "reconnect"
  | "ldm"
  | "error"
  | "slowConsumer"
  | "close"
  | "reconnecting"
  | "update"
  | "ping"
  | "staleConnection"
  | "forceReconnect";

/** Reasons why traffic moved: the `cause` of the status `moved`. */
export type MoveCause =
  | "suspicion"
  | "serverLost"
  | "regionLost"
  | "recovered"
  | "lameDuck"
  | "failBack"
  | "faster"
  | "requested"
  | "unhealthy";

/** An event of the connection. */
export interface Status {
  readonly type: StatusType | NatsCoreStatusType;
  /** `host:port` of the server, if the event is about one. */
  readonly server?: string;
  /** The error of the statuses `error` and `slowConsumer`. */
  readonly error?: Error;
  /** Description of the event in words; most events have one. */
  readonly text?: string;
  /** Reason for the move, in the statuses `moved` and `reconnect`. */
  readonly cause?: MoveCause;
  readonly [detail: string]: unknown;
}
