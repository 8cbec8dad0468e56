/** Errors. The classes have the names of nats-core, and a `code` that stays the same across versions. */

/** Base class of all errors of this package. Each has a `name`, a stable `code`, and often a `cause`. */
export class NatsError extends Error {
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions);
}
/** `INVALID_ARGUMENT`, or `INVALID_CONFIG` for a field of `config`: a value is not valid. The message names the value and the remedy. */
export class InvalidArgumentError extends NatsError {
  constructor(message: string, options?: ErrorOptions & { code?: string });
}
/** `INVALID_SUBJECT`: the subject is empty, or has spaces or empty tokens. */
export class InvalidSubjectError extends NatsError {
  constructor(subject: string, options?: ErrorOptions & { message?: string });
}
/** `INVALID_OPERATION`: the object does not allow this call in its state, such as two iterators over one subscription. */
export class InvalidOperationError extends NatsError {
  constructor(message: string, options?: ErrorOptions);
}
/** `PAYLOAD_TOO_LARGE`: the message is larger than the server accepts (`max_payload`). */
export class PayloadTooLargeError extends InvalidArgumentError {
  constructor(message: string, options?: ErrorOptions);
}
/** `NOT_INITIALIZED`: the WebAssembly is not loaded. Wait for `init()` first. */
export class NotInitializedError extends NatsError {
  constructor(message?: string);
}
/** `CLOSED`: the connection is closed. Connect again. */
export class ClosedConnectionError extends NatsError {
  constructor(message?: string, options?: ErrorOptions);
}
/** `DRAINING`: the application has called `drain()`, so the connection accepts nothing new. */
export class DrainingConnectionError extends NatsError {
  constructor(message?: string, options?: ErrorOptions);
}
/** `CONNECTION`: the client could not use any listed server. `ENGINE_NOT_LOADED`: the browser could not load the WebAssembly file. `cause` and the message hold the reason. */
export class ConnectionError extends NatsError {
  constructor(message: string, options?: ErrorOptions & { code?: string });
}
/** `MIXED_CONTENT`: a page that was loaded by `https://` may not open `ws://`. Use `wss://`. */
export class MixedContentError extends ConnectionError {
  constructor(message: string, options?: ErrorOptions);
}
/** `PROTOCOL`: a server sent bytes that are not the NATS protocol. */
export class ProtocolError extends NatsError {
  constructor(message: string, options?: ErrorOptions);
}
/** `AUTHORIZATION`: servers refused the credentials. Check user, password, token or key. */
export class AuthorizationError extends NatsError {
  constructor(message: string, options?: ErrorOptions);
}
/** `PERMISSION_VIOLATION`: the user may not publish or subscribe to `subject`. Add the permission at the server. */
export class PermissionViolationError extends NatsError {
  readonly operation: "publish" | "subscription";
  readonly subject: string;
  readonly queue?: string;
  constructor(message: string, options?: ErrorOptions);
}
/** `TIMEOUT`: no answer arrived in time. */
export class TimeoutError extends NatsError {
  constructor(message?: string, options?: ErrorOptions);
}
/** `NO_RESPONDERS`: no client subscribes to the subject of the request. */
export class NoRespondersError extends NatsError {
  readonly subject: string;
  constructor(subject: string, options?: ErrorOptions);
}
/** `REQUEST`: a request failed. `cause` holds the reason. */
export class RequestError extends NatsError {
  isNoResponders(): boolean;
  constructor(message: string, options?: ErrorOptions & { code?: string });
}
/** `LINK_LOST`: the link was lost while the request waited. The request may have been executed. */
export class LinkLostError extends RequestError {
  constructor(message?: string, options?: ErrorOptions);
}
/** `SLOW_CONSUMER`: the application reads a subscription too slowly, and its buffer is full. The newest messages are lost. */
export class SlowConsumerError extends NatsError {
  constructor(message: string, options?: ErrorOptions);
}
/** `JETSTREAM`: an operation on a stream, bucket or object store failed. The message holds the reason. */
export class JetStreamError extends NatsError {
  constructor(message: string, options?: ErrorOptions & { code?: string });
}
/** `JETSTREAM_API`: JetStream refused a request. `NOT_FOUND`: there is no such stream or message. `WRONG_LAST_SEQUENCE`: another client wrote first. `status`, `apiCode` and the message come from the server. */
export class JetStreamApiError extends JetStreamError {
  /** HTTP-like status. */
  readonly status: number;
  /** The server's own error number, such as 10071 for a wrong last sequence. */
  readonly apiCode: number;
  constructor(error: { code?: number; err_code?: number; description?: string }, options?: ErrorOptions);
}
