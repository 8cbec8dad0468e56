// Fixtures of several tests.

import type { Backend } from "../src/backend.ts";
import { Connection } from "../src/connection.ts";
import { FrameWriter, Kind, type Frame } from "../src/frames.ts";
import { encodeHeaders, headersFromRecord } from "../src/headers.ts";

export function frame(parts: Partial<Frame>): Frame {
  return { kind: 0, flags: 0, id: 1, subject: "a", reply: undefined, headers: undefined, payload: new Uint8Array(0), ...parts };
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (data: Uint8Array): string => new TextDecoder().decode(data);
export const block = (record: Record<string, string | number>): Uint8Array | undefined =>
  encodeHeaders(headersFromRecord(Object.fromEntries(Object.entries(record).map(([name, value]) => [name, [String(value)]]))));

/** Answers with one message; may be called again. */
export type Answer = (parts: Partial<Frame>) => void;

/** A connection to a server that is this function: it gets every request, and every publish that wants an answer. */
export function served(serve: (subject: string, payload: string, answer: Answer) => void): Connection {
  const nc = new Connection("page");
  const inboxes = new Map<string, number>();
  const deliver = (parts: Partial<Frame>): void => {
    const writer = new FrameWriter();
    writer.write(frame(parts));
    queueMicrotask(() => nc.deliver(writer.take()));
  };
  const calls: Partial<Backend> = {
    subscribe: (sid, subject) => void inboxes.set(subject, sid),
    publish: (subject, reply = "", _headers, payload) => serve(subject, text(payload), (parts) => deliver({ id: inboxes.get(reply) ?? 0, subject: reply, ...parts })),
    request: (operation, subject, _headers, payload) => serve(subject, text(payload), (parts) => deliver({ kind: Kind.Reply, id: operation, ...parts })),
  };
  nc.attach(new Proxy({} as Backend, { get: (_target, name: keyof Backend) => calls[name] ?? ((): void => {}) }));
  return nc;
}
