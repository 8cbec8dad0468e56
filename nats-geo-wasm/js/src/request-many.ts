// requestMany: one request, many answers, and four ways to know the last one.

import type { Msg, NatsConnection, Payload, RequestManyOptions } from "../types/nats.js";
import { InvalidArgumentError, NoRespondersError, RequestError } from "./errors.ts";
import { createInbox } from "./inbox.ts";
import { isNoResponders } from "./message.ts";
import { checkLimit } from "./options.ts";
import { Queue } from "./queue.ts";

/** nats-core's defaults. */
const MAX_WAIT_DEFAULT_MS = 1000;
const STALL_DEFAULT_MS = 300;

export function requestMany(connection: NatsConnection, subject: string, payload: Payload | undefined, options: RequestManyOptions): AsyncIterable<Msg> {
  const { strategy = "timer", maxWait = MAX_WAIT_DEFAULT_MS, stall = STALL_DEFAULT_MS, maxMessages = -1 } = options;
  checkLimit("maxWait", maxWait);
  checkLimit("stall", stall);
  if (!["timer", "count", "stall", "sentinel"].includes(strategy)) throw new InvalidArgumentError(`strategy ${strategy} is unknown: use timer, count, stall or sentinel`);
  if (strategy === "count" && !(maxMessages > 0)) throw new InvalidArgumentError("the strategy \"count\" needs the option maxMessages");

  const answers = new Queue<Msg>(() => stop());
  let received = 0;
  let stallTimer: ReturnType<typeof setTimeout> | undefined;
  const stop = (error?: Error): void => {
    clearTimeout(stallTimer);
    clearTimeout(lastTimer);
    subscription.unsubscribe();
    answers.end(error);
  };
  const take = (message: Msg): void => {
    if (isNoResponders(message)) {
      const cause = new NoRespondersError(subject);
      return stop(new RequestError(cause.message, { cause, code: cause.code }));
    }
    answers.push(message);
    received += 1;
    if (strategy === "sentinel" && message.data.byteLength === 0) return stop();
    if (strategy === "count" && received >= maxMessages) return stop();
    if (strategy === "stall") {
      clearTimeout(stallTimer);
      stallTimer = setTimeout(stop, stall);
    }
  };
  const subscription = connection.subscribe(createInbox(connection.inboxPrefix), {
    callback: (error, message) => (error ? stop(error) : take(message)),
  });
  const lastTimer = setTimeout(stop, maxWait);
  void subscription.closed.then((error) => answers.end(error ?? undefined));
  try {
    connection.publish(subject, payload, { reply: subscription.getSubject(), headers: options.headers });
  } catch (error) {
    stop();
    throw error;
  }
  return answers;
}
