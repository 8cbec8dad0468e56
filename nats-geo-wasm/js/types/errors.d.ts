/** Errors: class names as in nats-core, plus a `code` that stays the same across versions. */

/** Every error of this package has a `name`, a stable `code`, and often a `cause`. */
export class NatsError extends Error {
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions);
}
export class InvalidArgumentError extends NatsError {
  constructor(message: string, options?: ErrorOptions & { code?: string });
}
export class InvalidSubjectError extends NatsError {
  constructor(subject: string, options?: ErrorOptions & { message?: string });
}
export class InvalidOperationError extends NatsError {
  constructor(message: string, options?: ErrorOptions);
}
export class PayloadTooLargeError extends InvalidArgumentError {
  constructor(message: string, options?: ErrorOptions);
}
export class NotInitializedError extends NatsError {
  constructor(message?: string);
}
export class ClosedConnectionError extends NatsError {
  constructor(message?: string, options?: ErrorOptions);
}
export class DrainingConnectionError extends NatsError {
  constructor(message?: string, options?: ErrorOptions);
}
export class ConnectionError extends NatsError {
  constructor(message: string, options?: ErrorOptions & { code?: string });
}
export class MixedContentError extends ConnectionError {
  constructor(message: string, options?: ErrorOptions);
}
export class ProtocolError extends NatsError {
  constructor(message: string, options?: ErrorOptions);
}
export class AuthorizationError extends NatsError {
  constructor(message: string, options?: ErrorOptions);
}
export class PermissionViolationError extends NatsError {
  readonly operation: "publish" | "subscription";
  readonly subject: string;
  readonly queue?: string;
  constructor(message: string, options?: ErrorOptions);
}
export class TimeoutError extends NatsError {
  constructor(message?: string, options?: ErrorOptions);
}
export class NoRespondersError extends NatsError {
  readonly subject: string;
  constructor(subject: string, options?: ErrorOptions);
}
export class RequestError extends NatsError {
  isNoResponders(): boolean;
  constructor(message: string, options?: ErrorOptions & { code?: string });
}
export class LinkLostError extends RequestError {
  constructor(message?: string, options?: ErrorOptions);
}
export class SlowConsumerError extends NatsError {
  constructor(message: string, options?: ErrorOptions);
}
export class JetStreamError extends NatsError {
  constructor(message: string, options?: ErrorOptions & { code?: string });
}
export class JetStreamApiError extends JetStreamError {
  /** HTTP-like status. */
  readonly status: number;
  /** The server's own error number, such as 10071 for a wrong last sequence. */
  readonly apiCode: number;
  constructor(error: { code?: number; err_code?: number; description?: string }, options?: ErrorOptions);
}
