// The lengthened film: as long as promised, and made of what the clip holds.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { lengthened } from "../film.mjs";

const clip = await readFile(join(import.meta.dirname, "../nats/objects/zoom.webm"));
const CLIP_MS = 8000;
const CLUSTER = Buffer.from("1f43b675", "hex");

it("is as long as the clip times the rounds", () => {
  assert.equal(durationMs(clip), CLIP_MS);
  assert.equal(durationMs(lengthened(clip, 5)), 5 * CLIP_MS);
});

it("holds every cluster of the clip in every round, at later times, and an index that finds them", () => {
  const film = lengthened(clip, 3);
  const clusters = positions(clip).length;
  const found = positions(film);
  assert.equal(found.length, 3 * clusters);
  const times = found.map((at) => clusterMs(film, at));
  assert.deepEqual(times, [...times].sort((a, b) => a - b));
  assert.equal(times[clusters] - times[0], CLIP_MS);
  const segment = film.indexOf(Buffer.from("18538067", "hex")) + 12;
  assert.deepEqual(indexed(film).map((offset) => segment + offset), found);
});

it("refuses what is no WebM file", () => {
  assert.throws(() => lengthened(Buffer.from("RIFF, and then something else"), 2), /no WebM file/);
});

function durationMs(film) {
  const at = film.indexOf(Buffer.from("4489", "hex"));
  return film.readDoubleBE(at + (film[at + 2] === 0x88 ? 3 : 10));
}

function positions(film) {
  const found = [];
  for (let at = film.indexOf(CLUSTER); at >= 0; at = film.indexOf(CLUSTER, at + 1)) found.push(at);
  return found;
}

/** In a lengthened film the time is the first thing in a cluster, eight bytes wide. */
function clusterMs(film, at) {
  return Number(film.readBigUInt64BE(at + 12 + 9));
}

function indexed(film) {
  const cues = film.indexOf(Buffer.from("1c53bb6b", "hex"));
  const end = cues + 12 + (film.readUIntBE(cues + 6, 6));
  const found = [];
  const mark = Buffer.from("f10100000000000008", "hex");
  for (let at = film.indexOf(mark, cues); at >= 0 && at < end; at = film.indexOf(mark, at + 1)) found.push(Number(film.readBigUInt64BE(at + mark.length)));
  return found;
}
