import assert from "node:assert/strict";
import { test } from "node:test";
import { FRAME_HEADER_BYTES, FrameWriter, Kind, decodeFrame, forEachFrame, frameId, frameKind, viewOf, type Frame } from "../src/frames.ts";
import { decodeHeaders, encodeHeaders, headers, headersFromRecord } from "../src/headers.ts";
import { bytes, frame, text } from "./helpers.ts";

function written(...frames: Frame[]): Uint8Array {
  const writer = new FrameWriter();
  for (const one of frames) writer.write(one);
  return writer.take();
}

function read(batch: Uint8Array): Frame[] {
  const frames: Frame[] = [];
  forEachFrame(batch, (offset, _length, view) => frames.push(decodeFrame(batch, view, offset)));
  return frames;
}

test("frames come out as they went in, whatever their lengths", () => {
  const frames = [0, 1, 2, 3, 4, 5, 100_000].map((length, index) =>
    frame({ id: index + 1, subject: "größe".repeat(index + 1), reply: index % 2 ? "_INBOX.x" : undefined, headers: index % 3 ? bytes("NATS/1.0\r\n\r\n") : undefined, payload: new Uint8Array(length).fill(index) }),
  );
  assert.deepEqual(read(written(...frames)), frames);
});

test("each frame has its own subject, whatever came before for the same subscription", () => {
  const subjects = ["a.b", "a.b", "a.c", "a.b", "ab", "größe", "größe", "a.b"];
  const frames = subjects.flatMap((subject) => [frame({ id: 1, subject }), frame({ id: 2, subject: `${subject}.x` })]);
  assert.deepEqual(read(written(...frames)), frames);
});

test("a frame is 24 bytes of header, then the parts, padded to 4", () => {
  const batch = written(frame({ kind: Kind.Publish, id: 7, subject: "ab", payload: bytes("xyz") }));
  assert.equal(batch.byteLength, FRAME_HEADER_BYTES + 8);
  assert.deepEqual([...batch.subarray(0, 8)], [32, 0, 0, 0, 2, 0, 2, 0]);
  assert.equal(frameId(viewOf(batch), 0), 7);
  assert.equal(frameKind(viewOf(batch), 0), Kind.Publish);
  assert.equal(text(batch.subarray(24, 29)), "abxyz");
});

test("a copied frame keeps everything but its id", () => {
  const source = written(frame({ id: 1, subject: "x" }), frame({ id: 2, subject: "y", payload: bytes("data") }));
  const writer = new FrameWriter();
  forEachFrame(source, (offset, length, view) => {
    if (frameId(view, offset) === 2) writer.copy(source, offset, length, 99);
  });
  const [copied] = read(writer.take());
  assert.deepEqual([copied?.id, copied?.subject, text(copied!.payload)], [99, "y", "data"]);
  assert.equal(writer.byteLength, 0);
});

test("half a frame, and lengths that lie, are refused and not read beyond", () => {
  const whole = written(frame({ subject: "subject", payload: bytes("payload") }));
  for (let cut = 1; cut < whole.byteLength; cut++) assert.throws(() => read(whole.slice(0, cut)), RangeError, `cut to ${cut}`);
  for (const [at, value] of [[0, 0], [0, 20], [0, 33], [0, 2 ** 31], [20, 2 ** 31], [16, 1000]] as const) {
    const broken = whole.slice();
    viewOf(broken).setUint32(at, value, true);
    assert.throws(() => read(broken), RangeError, `${value} at ${at}`);
  }
});

test("headers keep order, repetition and case", () => {
  const hdrs = headers();
  hdrs.set("Color", "blue");
  hdrs.append("Color", "grün");
  hdrs.set("color", "other");
  const back = decodeHeaders(encodeHeaders(hdrs)!);
  assert.deepEqual(back.toRecord(), { Color: ["blue", "grün"], color: ["other"] });
  assert.equal(back.get("Color"), "blue");
  assert.equal(back.last("Color"), "grün");
  assert.equal(back.get("COLOR"), "");
  assert.deepEqual(back.values("COLOR", "insensitive"), ["blue", "grün", "other"]);
  assert.deepEqual(back.values("COLOR", "canonical"), ["blue", "grün"]);
  assert.deepEqual([...back].length, 2);
  back.delete("color", "insensitive");
  assert.equal(back.size(), 0);
});

test("the block is what servers expect", () => {
  const hdrs = headersFromRecord({ A: ["1", "2"] });
  assert.equal(text(encodeHeaders(hdrs)!), "NATS/1.0\r\nA: 1\r\nA: 2\r\n\r\n");
  assert.equal(encodeHeaders(undefined), undefined);
});

test("a status is read with and without description", () => {
  const [plain, described] = ["NATS/1.0 503\r\n\r\n", "NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 7\r\n\r\n"].map((block) => decodeHeaders(bytes(block)));
  assert.deepEqual([plain!.code, plain!.description, plain!.hasError], [503, "", true]);
  assert.deepEqual([described!.code, described!.description, described!.hasError], [100, "Idle Heartbeat", false]);
  assert.equal(described!.get("Nats-Last-Consumer"), "7");
  assert.equal(described!.status, "100 Idle Heartbeat");
});

test("names and values that would break the block are refused", () => {
  const hdrs = headers();
  for (const name of ["", "a b", "a:b", "a\r\nb", "ä"]) assert.throws(() => hdrs.set(name, "x"), { name: "InvalidArgumentError" }, JSON.stringify(name));
  assert.throws(() => hdrs.set("a", "x\r\nEvil: y"), { code: "INVALID_ARGUMENT" });
  assert.equal(hdrs.size(), 0);
});

test("a block of somebody else is refused, a bad line in it is skipped", () => {
  let unreadable = 0;
  const read = (block: string) => decodeHeaders(bytes(block), () => (unreadable += 1)).toRecord();
  assert.deepEqual(read("HTTP/1.1 200\r\nA: 1\r\n\r\n"), { A: ["1"] });
  assert.deepEqual(read("NATS/1.0\r\nMy Key: x\r\nA: 1\r\n\r\n"), { A: ["1"] });
  assert.deepEqual(read("NATS/1.0\r\nA: 1\nno colon\r\n\r\n"), { A: ["1"] });
  assert.deepEqual(read(""), {});
  assert.equal(unreadable, 4);
  assert.deepEqual(read("NATS/1.0\r\nA:1\r\n\r\n"), { A: ["1"] });
  assert.equal(unreadable, 4);
  assert.deepEqual(decodeHeaders(bytes("NATS/1.0\r\n: no name\r\nno colon\r\nA:1\r\n\r\n")).toRecord(), { A: ["1"] });
});
