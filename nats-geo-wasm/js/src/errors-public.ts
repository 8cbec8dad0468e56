// The error classes without the numbers that only cross borders inside the package.

export {
  AuthorizationError,
  ClosedConnectionError,
  ConnectionError,
  DrainingConnectionError,
  InvalidArgumentError,
  InvalidOperationError,
  InvalidSubjectError,
  JetStreamApiError,
  JetStreamError,
  LinkLostError,
  MixedContentError,
  NatsError,
  NoRespondersError,
  NotInitializedError,
  PayloadTooLargeError,
  PermissionViolationError,
  ProtocolError,
  RequestError,
  SlowConsumerError,
  TimeoutError,
} from "./errors.ts";
