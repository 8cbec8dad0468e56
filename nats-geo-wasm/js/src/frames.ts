// Frames: how messages cross the border between the engine, the worker and a page. Flat, so that a batch of them is one
// transferred ArrayBuffer: 64 messages per post are 15 times faster than one each.
//
// Little endian: u32 frame length (padded to 4) · u8 kind · u8 flags · u16 subject length · u16 reply length · u16 0 ·
// u32 id · u32 header length · u32 payload length · subject · reply · headers · payload

export const FRAME_HEADER_BYTES = 24;

export const Kind = {
  /** A message for the subscription `id`. */
  Message: 0,
  /** The answer to the request `id`. */
  Reply: 1,
  /** A publish; only pages send it to the worker. */
  Publish: 2,
} as const;

/** The answer has the status 503: no responder listens on the subject. */
export const FLAG_NO_RESPONDERS = 1;

export interface Frame {
  readonly kind: number;
  readonly flags: number;
  readonly id: number;
  readonly subject: string;
  readonly reply: string | undefined;
  /** Header block in the form of the protocol; undefined if there is none. */
  readonly headers: Uint8Array | undefined;
  readonly payload: Uint8Array;
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Returns the length of the frame at `offset`, with its padding. Throws if the buffer does not contain the whole frame. */
export function frameLength(view: DataView, offset: number): number {
  const rest = view.byteLength - offset;
  const length = rest < FRAME_HEADER_BYTES ? 0 : view.getUint32(offset, true);
  if (length < FRAME_HEADER_BYTES || length > rest || length % 4 !== 0) {
    throw new RangeError(`frame at ${offset} has the wrong length ${length}: ${rest} bytes are left in the buffer`);
  }
  return length;
}

/** Calls `visit` for each frame, without decoding it. */
export function forEachFrame(bytes: Uint8Array, visit: (offset: number, length: number, view: DataView) => void): void {
  const view = viewOf(bytes);
  for (let offset = 0; offset < bytes.byteLength; ) {
    const length = frameLength(view, offset);
    visit(offset, length, view);
    offset += length;
  }
}

export const frameKind = (view: DataView, offset: number): number => view.getUint8(offset + 4);
export const frameId = (view: DataView, offset: number): number => view.getUint32(offset + 12, true);
export const setFrameId = (view: DataView, offset: number, id: number): void => view.setUint32(offset + 12, id, true);

/** Decodes one frame; headers and payload are views into `bytes`. */
export function decodeFrame(bytes: Uint8Array, view: DataView, offset: number): Frame {
  const length = frameLength(view, offset);
  const subjectLength = view.getUint16(offset + 6, true);
  const replyLength = view.getUint16(offset + 8, true);
  const headerLength = view.getUint32(offset + 16, true);
  const payloadLength = view.getUint32(offset + 20, true);
  const subjectAt = offset + FRAME_HEADER_BYTES;
  const replyAt = subjectAt + subjectLength;
  const headersAt = replyAt + replyLength;
  const payloadAt = headersAt + headerLength;
  if (payloadAt + payloadLength > offset + length) throw new RangeError(`frame at ${offset} is shorter than its parts`);
  const kind = frameKind(view, offset);
  const id = frameId(view, offset);
  return {
    kind,
    flags: view.getUint8(offset + 5),
    id,
    subject: kind === Kind.Message ? repeated(id, bytes, subjectAt, replyAt) : decoder.decode(bytes.subarray(subjectAt, replyAt)),
    reply: replyLength > 0 ? decoder.decode(bytes.subarray(replyAt, headersAt)) : undefined,
    headers: headerLength > 0 ? bytes.subarray(headersAt, payloadAt) : undefined,
    payload: bytes.subarray(payloadAt, payloadAt + payloadLength),
  };
}

/** The last subject of each subscription: most get the same one again and again, and decoding it costs more than the rest. */
const lastSubjects = new Map<number, { readonly bytes: Uint8Array; readonly text: string }>();
/** Subscriptions that end are forgotten with all others when there are this many. */
const LAST_SUBJECTS_MAX = 1024;

function repeated(id: number, bytes: Uint8Array, start: number, end: number): string {
  const last = lastSubjects.get(id);
  if (last && isSame(last.bytes, bytes, start, end)) return last.text;
  if (lastSubjects.size >= LAST_SUBJECTS_MAX) lastSubjects.clear();
  const own = bytes.slice(start, end);
  const text = decoder.decode(own);
  lastSubjects.set(id, { bytes: own, text });
  return text;
}

function isSame(known: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (known.length !== end - start) return false;
  for (let index = 0; index < known.length; index += 1) {
    if (known[index] !== bytes[start + index]) return false;
  }
  return true;
}

/** Returns a view of exactly these bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** First size of a writer's buffer: a few hundred small frames. It doubles as needed. */
const WRITER_START_BYTES = 8192;

/** Collects frames into one buffer that can be transferred. */
export class FrameWriter {
  #bytes = new Uint8Array(0);
  #view = viewOf(this.#bytes);
  #used = 0;

  /** Number of bytes collected so far. */
  get byteLength(): number {
    return this.#used;
  }

  /** Encodes a frame. */
  write(frame: Pick<Frame, "kind" | "id" | "subject" | "reply" | "headers" | "payload">): void {
    const subject = encoder.encode(frame.subject);
    const reply = encoder.encode(frame.reply ?? "");
    const headers = frame.headers;
    const parts = [subject, reply, headers ?? new Uint8Array(0), frame.payload];
    const content = parts.reduce((sum, part) => sum + part.byteLength, FRAME_HEADER_BYTES);
    const length = (content + 3) & ~3;
    const offset = this.#reserve(length);
    const view = this.#view;
    view.setUint32(offset, length, true);
    view.setUint8(offset + 4, frame.kind);
    view.setUint16(offset + 6, subject.byteLength, true);
    view.setUint16(offset + 8, reply.byteLength, true);
    setFrameId(view, offset, frame.id);
    view.setUint32(offset + 16, headers?.byteLength ?? 0, true);
    view.setUint32(offset + 20, frame.payload.byteLength, true);
    let at = offset + FRAME_HEADER_BYTES;
    for (const part of parts) {
      this.#bytes.set(part, at);
      at += part.byteLength;
    }
  }

  /** Appends a copy of an encoded frame with another id. */
  copy(bytes: Uint8Array, offset: number, length: number, id: number): void {
    const at = this.#reserve(length);
    this.#bytes.set(bytes.subarray(offset, offset + length), at);
    setFrameId(this.#view, at, id);
  }

  /** Returns all frames; the writer is then empty. The buffer contains nothing else, so it can be transferred. */
  take(): Uint8Array<ArrayBuffer> {
    const bytes = this.#bytes.subarray(0, this.#used);
    this.#bytes = new Uint8Array(0);
    this.#view = viewOf(this.#bytes);
    this.#used = 0;
    return bytes;
  }

  #reserve(length: number): number {
    const offset = this.#used;
    const needed = offset + length;
    if (needed > this.#bytes.byteLength) {
      const grown = new Uint8Array(Math.max(needed, this.#bytes.byteLength * 2, WRITER_START_BYTES));
      grown.set(this.#bytes.subarray(0, offset));
      this.#bytes = grown;
      this.#view = viewOf(grown);
    }
    this.#used = needed;
    return offset;
  }
}
