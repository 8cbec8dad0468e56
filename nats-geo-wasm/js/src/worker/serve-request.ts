// Fetches answered by request and reply: the request's method, path and headers travel as NATS headers, and the reply's
// headers become HTTP's.

import type { RequestRoute } from "../../types/sw.js";
import type { Msg, NatsConnection } from "../../types/nats.js";
import { headers } from "../headers.ts";

/** What a responder needs to answer in the right form; cookies and the like stay here. */
const FORWARDED_DEFAULT = ["accept", "accept-language", "content-type", "if-none-match"];
/** NATS headers that carry what HTTP has no header for. */
const METHOD = "Http-Method";
const PATH = "Http-Path";
const STATUS = "Http-Status";
/** Statuses that forbid a body. */
const BODILESS = [204, 205, 304];

export async function serveRequest(nc: NatsConnection, route: RequestRoute, subject: string, request: Request, timeoutMs: number): Promise<Response> {
  const url = new URL(request.url);
  const hdrs = headers();
  hdrs.set(METHOD, request.method);
  hdrs.set(PATH, url.pathname + url.search);
  for (const name of route.forward ?? FORWARDED_DEFAULT) {
    const value = request.headers.get(name);
    if (value !== null) hdrs.set(name, value);
  }
  const hasBody = request.method !== "GET" && request.method !== "HEAD";
  const body = hasBody ? new Uint8Array(await request.arrayBuffer()) : undefined;
  return toResponse(await nc.request(subject, body, { timeout: timeoutMs, headers: hdrs }), request.method);
}

/** Converts a NATS message to an HTTP response. */
export function toResponse(message: Msg, method: string): Response {
  const result = new Headers();
  for (const [name, values] of message.headers ?? []) {
    if (/^(nats-|http-)/i.test(name)) continue;
    for (const value of values) {
      // A NATS header may hold what HTTP forbids; the page is better off without it than without the answer.
      if (/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) result.append(name, value);
    }
  }
  if (!result.has("content-type")) result.set("content-type", "application/octet-stream");
  const given = Number(message.headers?.get(STATUS, "insensitive") || 200);
  const status = Number.isInteger(given) && given >= 200 && given <= 599 ? given : 502;
  const hasBody = method !== "HEAD" && !BODILESS.includes(status);
  return new Response(hasBody ? (message.data as Uint8Array<ArrayBuffer>) : null, { status, headers: result });
}
