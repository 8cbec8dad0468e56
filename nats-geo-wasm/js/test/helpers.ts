// Fixtures of several tests.

import type { Frame } from "../src/frames.ts";

export function frame(parts: Partial<Frame>): Frame {
  return { kind: 0, flags: 0, id: 1, subject: "a", reply: undefined, headers: undefined, payload: new Uint8Array(0), ...parts };
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (data: Uint8Array): string => new TextDecoder().decode(data);
