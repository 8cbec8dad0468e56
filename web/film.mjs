// Makes a long film of a short clip: a WebM file is a row of clusters, each with its time, so they can be repeated
// without decoding anything. The repository keeps 0.8 MB, and the demo still streams for minutes.

const ID = { ebml: 0x1a45dfa3, segment: 0x18538067, info: 0x1549a966, tracks: 0x1654ae6b, cluster: 0x1f43b675, time: 0xe7, duration: 0x4489 };

/** `clip` as often as `times` says, in one WebM file that can be seeked. */
export function lengthened(clip, times) {
  const top = elements(clip, 0, clip.length);
  const segment = first(top, ID.segment);
  const parts = elements(clip, segment.start, segment.end);
  const info = first(parts, ID.info);
  const clusters = parts.filter(({ id }) => id === ID.cluster).map((cluster) => timed(clip, cluster));
  const duration = first(elements(clip, info.start, info.end), ID.duration);
  const clipMs = number(clip, duration, "float");

  const repeated = [];
  for (let round = 0; round < times; round += 1) {
    for (const { timeMs, rest } of clusters) {
      repeated.push({ timeMs: timeMs + Math.round(round * clipMs), rest });
    }
  }
  const head = Buffer.concat([infoLasting(clip, info, duration, clipMs * times), slice(clip, first(parts, ID.tracks))]);
  const bodies = repeated.map(({ timeMs, rest }) => element("1f43b675", Buffer.concat([unsigned("e7", timeMs), rest])));
  // All numbers have a fixed width, so the index is as long with zeros as with the real positions.
  const indexLength = index(repeated, bodies, 0).length;
  const content = Buffer.concat([head, index(repeated, bodies, head.length + indexLength), ...bodies]);
  return Buffer.concat([slice(clip, first(top, ID.ebml)), element("18538067", content)]);
}

function timed(clip, cluster) {
  const children = elements(clip, cluster.start, cluster.end);
  const time = first(children, ID.time);
  const rest = children.filter((child) => child !== time).map((child) => slice(clip, child));
  return { timeMs: number(clip, time, "unsigned"), rest: Buffer.concat(rest) };
}

/** Where each cluster begins, counted from the segment's content. */
function index(clusters, bodies, start) {
  let position = start;
  const points = clusters.map(({ timeMs }, at) => {
    const place = element("b7", Buffer.concat([unsigned("f7", 1), unsigned("f1", position)]));
    position += bodies[at].length;
    return element("bb", Buffer.concat([unsigned("b3", timeMs), place]));
  });
  return element("1c53bb6b", Buffer.concat(points));
}

function infoLasting(clip, info, duration, ms) {
  const lasting = Buffer.alloc(8);
  lasting.writeDoubleBE(ms);
  const others = elements(clip, info.start, info.end).filter(({ id }) => id !== ID.duration);
  return element("1549a966", Buffer.concat([...others.map((child) => slice(clip, child)), element("4489", lasting)]));
}

/** The elements between two positions. */
function elements(bytes, from, to) {
  const found = [];
  for (let at = from; at < to; ) {
    const idLength = Math.clz32(bytes[at]) - 23;
    const sizeAt = at + idLength;
    const sizeLength = Math.clz32(bytes[sizeAt]) - 23;
    if (idLength > 4 || sizeLength > 8) throw new Error(`the clip is no WebM file: nonsense at byte ${at}`);
    let size = bytes[sizeAt] & (0xff >> sizeLength);
    for (let next = 1; next < sizeLength; next += 1) size = size * 256 + bytes[sizeAt + next];
    const start = sizeAt + sizeLength;
    found.push({ id: bytes.readUIntBE(at, idLength), head: at, start, end: Math.min(start + size, to) });
    at = start + size;
  }
  return found;
}

function first(list, id) {
  const found = list.find((candidate) => candidate.id === id);
  if (!found) throw new Error(`the clip is no WebM file: element ${id.toString(16)} is missing`);
  return found;
}

function slice(bytes, { head, end }) {
  return bytes.subarray(head, end);
}

function number(bytes, { start, end }, kind) {
  if (kind === "unsigned") return bytes.readUIntBE(start, end - start);
  return end - start === 4 ? bytes.readFloatBE(start) : bytes.readDoubleBE(start);
}

function unsigned(id, value) {
  const content = Buffer.alloc(8);
  content.writeBigUInt64BE(BigInt(value));
  return element(id, content);
}

function element(id, content) {
  const size = Buffer.alloc(8);
  size.writeBigUInt64BE(BigInt(content.length));
  size[0] |= 0x01;
  return Buffer.concat([Buffer.from(id, "hex"), size, content]);
}
