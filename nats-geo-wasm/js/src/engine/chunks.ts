// Chunks: copies of small byte arrays, many in one ArrayBuffer. To make an ArrayBuffer costs more than to fill it with
// what a WebSocket brings at once, which is 4 KiB.

/** A message that somebody keeps keeps its chunk, so it is not larger than needed to make its cost small. */
const CHUNK_BYTES = 32 * 1024;

/**
 * Returns a function that copies bytes to memory that no other code changes. Several copies share a buffer, so no copy can
 * be transferred.
 */
export function chunkedCopies(): (bytes: Uint8Array) => Uint8Array {
  let free = new Uint8Array(0);
  return (bytes) => {
    const length = bytes.length;
    if (length > CHUNK_BYTES / 4) return bytes.slice();
    if (length > free.length) free = new Uint8Array(CHUNK_BYTES);
    const copy = free.subarray(0, length);
    copy.set(bytes);
    free = free.subarray(length);
    return copy;
  };
}
