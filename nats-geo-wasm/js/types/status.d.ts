/** Events of a connection: the names that `status()` gives, and what each carries. */

/** The events of nats-geo, by the same names as in Rust, `tracing` and the book's page Troubleshooting. */
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
 * nats-core's own names, for code that is ported from it. They follow nats-geo's name: `disconnect` follows `lost` if the
 * active link was lost, and `worker` if the page lost its service worker; `reconnect` follows `moved`, `ldm` follows `lameDuck`. `error` carries an `Error`, and `close` is
 * the last status. nats-geo never emits the others.
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
  /** Details of `error` and `slowConsumer`. */
  readonly error?: Error;
  /** A sentence for people, which most events have. */
  readonly text?: string;
  /** Reason of `moved` and `reconnect`. */
  readonly cause?: MoveCause;
  readonly [detail: string]: unknown;
}
