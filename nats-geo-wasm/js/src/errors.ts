// Errors: class names as in nats-core, plus a `code` that stays the same across versions and crosses the worker's port.

/** Base class of all errors of this package. */
export class NatsError extends Error {
  override name = "NatsError";
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export class InvalidArgumentError extends NatsError {
  override name = "InvalidArgumentError";
  constructor(message: string, options?: ErrorOptions & { code?: string }) {
    super(options?.code ?? "INVALID_ARGUMENT", message, options);
  }
}

export class InvalidSubjectError extends NatsError {
  override name = "InvalidSubjectError";
  constructor(subject: string, options?: ErrorOptions & { message?: string }) {
    super("INVALID_SUBJECT", options?.message ?? `\`${subject}\` is not a valid subject: it is empty, or has white space or an empty token`, options);
  }
}

export class InvalidOperationError extends NatsError {
  override name = "InvalidOperationError";
  constructor(message: string, options?: ErrorOptions) {
    super("INVALID_OPERATION", message, options);
  }
}

export class PayloadTooLargeError extends InvalidArgumentError {
  override name = "PayloadTooLargeError";
  constructor(message: string, options?: ErrorOptions) {
    super(message, { ...options, code: "PAYLOAD_TOO_LARGE" });
  }
}

export class NotInitializedError extends NatsError {
  override name = "NotInitializedError";
  constructor(message = "the WebAssembly is not loaded: await `init()` first") {
    super("NOT_INITIALIZED", message);
  }
}

export class ClosedConnectionError extends NatsError {
  override name = "ClosedConnectionError";
  constructor(message = "the connection is closed; connect again", options?: ErrorOptions) {
    super("CLOSED", message, options);
  }
}

export class DrainingConnectionError extends NatsError {
  override name = "DrainingConnectionError";
  constructor(message = "the connection is draining and accepts nothing new", options?: ErrorOptions) {
    super("DRAINING", message, options);
  }
}

export class ConnectionError extends NatsError {
  override name = "ConnectionError";
  constructor(message: string, options?: ErrorOptions & { code?: string }) {
    super(options?.code ?? "CONNECTION", message, options);
  }
}

export class MixedContentError extends ConnectionError {
  override name = "MixedContentError";
  constructor(message: string, options?: ErrorOptions) {
    super(message, { ...options, code: "MIXED_CONTENT" });
  }
}

export class ProtocolError extends NatsError {
  override name = "ProtocolError";
  constructor(message: string, options?: ErrorOptions) {
    super("PROTOCOL", message, options);
  }
}

export class AuthorizationError extends NatsError {
  override name = "AuthorizationError";
  constructor(message: string, options?: ErrorOptions) {
    super("AUTHORIZATION", message, options);
  }
}

export class PermissionViolationError extends NatsError {
  override name = "PermissionViolationError";
  readonly operation: "publish" | "subscription";
  readonly subject: string;
  readonly queue?: string;

  constructor(message: string, options?: ErrorOptions) {
    super("PERMISSION_VIOLATION", message, options);
    const found = /(publish|subscription) to "([^"]*)"(?: using queue "([^"]*)")?/i.exec(message);
    this.operation = found?.[1]?.toLowerCase() === "publish" ? "publish" : "subscription";
    this.subject = found?.[2] ?? "";
    this.queue = found?.[3];
  }
}

export class TimeoutError extends NatsError {
  override name = "TimeoutError";
  constructor(message = "no answer arrived in time", options?: ErrorOptions) {
    super("TIMEOUT", message, options);
  }
}

export class NoRespondersError extends NatsError {
  override name = "NoRespondersError";
  readonly subject: string;
  constructor(subject: string, options?: ErrorOptions) {
    super("NO_RESPONDERS", `no client subscribes to \`${subject}\` (no responders)`, options);
    this.subject = subject;
  }
}

export class RequestError extends NatsError {
  override name = "RequestError";
  constructor(message: string, options?: ErrorOptions & { code?: string }) {
    super(options?.code ?? "REQUEST", message, options);
  }

  isNoResponders(): boolean {
    return this.cause instanceof NoRespondersError;
  }
}

export class LinkLostError extends RequestError {
  override name = "LinkLostError";
  constructor(message = "the link was lost; the request may have been executed", options?: ErrorOptions) {
    super(message, { ...options, code: "LINK_LOST" });
  }
}

export class SlowConsumerError extends NatsError {
  override name = "SlowConsumerError";
  constructor(message: string, options?: ErrorOptions) {
    super("SLOW_CONSUMER", message, options);
  }
}

export class JetStreamError extends NatsError {
  override name = "JetStreamError";
  constructor(message: string, options?: ErrorOptions & { code?: string }) {
    super(options?.code ?? "JETSTREAM", message, options);
  }
}

/** Error numbers of nats-server (`errors.json`) that callers branch on. */
const API_CODES: Record<number, string> = {
  10037: "NOT_FOUND", // no message found
  10059: "NOT_FOUND", // stream not found
  10071: "WRONG_LAST_SEQUENCE",
  10164: "WRONG_LAST_SEQUENCE",
};

export class JetStreamApiError extends JetStreamError {
  override name = "JetStreamApiError";
  readonly status: number;
  readonly apiCode: number;

  constructor(error: { code?: number; err_code?: number; description?: string }, options?: ErrorOptions) {
    const apiCode = error.err_code ?? 0;
    const code = API_CODES[apiCode] ?? (error.code === 404 ? "NOT_FOUND" : "JETSTREAM_API");
    super(error.description ?? `JetStream error ${error.code}`, { ...options, code });
    this.status = error.code ?? 0;
    this.apiCode = apiCode;
  }
}

/** Numbers of the engine's errors; 0 means success. */
export const Code = {
  Ok: 0,
  InvalidArgument: 1,
  InvalidSubject: 2,
  Closed: 3,
  Draining: 4,
  Timeout: 5,
  NoResponders: 6,
  Connection: 7,
  Authorization: 8,
  PermissionViolation: 9,
  PayloadTooLarge: 10,
  LinkLost: 11,
  Protocol: 12,
  SlowConsumer: 13,
  MixedContent: 14,
  InvalidConfig: 15,
  NotInitialized: 16,
} as const;

/** Returns the error for a number of the engine. `subject` is the subject of the failed operation. */
export function errorFromCode(code: number, text?: string, subject = ""): NatsError {
  switch (code) {
    case Code.InvalidArgument:
      return new InvalidArgumentError(text ?? "invalid argument");
    case Code.InvalidSubject:
      return new InvalidSubjectError(subject, { message: text });
    case Code.Closed:
      return new ClosedConnectionError(text);
    case Code.Draining:
      return new DrainingConnectionError(text);
    case Code.Timeout:
      return new TimeoutError(text);
    case Code.NoResponders: {
      const cause = new NoRespondersError(subject);
      return new RequestError(cause.message, { cause, code: cause.code });
    }
    case Code.Authorization:
      return new AuthorizationError(text ?? "the server refused the credentials");
    case Code.PermissionViolation:
      return new PermissionViolationError(text ?? "the server denied the operation");
    case Code.PayloadTooLarge:
      return new PayloadTooLargeError(text ?? "the message is larger than the server accepts: split it");
    case Code.LinkLost:
      return new LinkLostError(text);
    case Code.Protocol:
      return new ProtocolError(text ?? "the other side does not speak the NATS protocol");
    case Code.SlowConsumer:
      return new SlowConsumerError(text ?? "the application reads too slowly");
    case Code.MixedContent:
      return new MixedContentError(text ?? "a page from `https://` may not open `ws://`: use `wss://`");
    case Code.InvalidConfig:
      return new InvalidArgumentError(text ?? "invalid configuration", { code: "INVALID_CONFIG" });
    case Code.NotInitialized:
      return new NotInitializedError(text);
    default:
      return new ConnectionError(text ?? "no server answers");
  }
}

/** Converts an error to a number and a text, which can pass through the worker's port. */
export function toCode(error: unknown): { code: number; text: string } {
  const text = error instanceof Error ? error.message : String(error);
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code === "number") return { code, text };
  return { code: (Code as Record<string, number>)[camel(String(code))] ?? Code.Connection, text };
}

function camel(code: string): string {
  return code.toLowerCase().replace(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase());
}
