// Failures of a fetch as HTTP.

/** Statuses by the codes of errors; everything else is a bad gateway. */
const STATUSES: Record<string, number> = {
  TIMEOUT: 504,
  NO_RESPONDERS: 503,
  CONNECTION: 503,
  CLOSED: 503,
  DRAINING: 503,
  LINK_LOST: 503,
  INVALID_CONFIG: 503,
  PAYLOAD_TOO_LARGE: 413,
  NOT_FOUND: 404,
};

export function failure(code: string, text: string): Response {
  const status = STATUSES[code] ?? 502;
  const headers = new Headers({ "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" });
  // A region that fails over is back within a second or two.
  if (status === 503) headers.set("retry-after", "1");
  return new Response(`${text}\n`, { status, headers });
}
