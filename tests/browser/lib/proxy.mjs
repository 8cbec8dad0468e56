// A TCP proxy that delays both directions: distance, on one machine. Bytes wait in a queue with the time they are due,
// so that throughput does not suffer and order stays. A connection is accepted at once: only bytes are delayed.

import net from "node:net";

/** Starts a proxy on a free port of `host`. `rttMs` is what a round trip through it takes longer. */
export async function startProxy(host, targetPort, rttMs) {
  const pairs = new Set();
  const server = net.createServer((client) => {
    const upstream = net.connect(targetPort, "127.0.0.1");
    const pair = { client, upstream, isForgotten: false, isClosing: false };
    pairs.add(pair);
    // Chromium waits for a minute for the answer to its Close before it closes the TCP connection too.
    client.on("data", (bytes) => (pair.isClosing ||= endsWithClose(bytes)));
    for (const socket of [client, upstream]) socket.setNoDelay(true);
    client.on("close", () => pairs.delete(pair));
    delayed(pair, client, upstream, rttMs / 2);
    delayed(pair, upstream, client, rttMs / 2);
    // What is refused behind the proxy is refused in front of it.
    upstream.on("error", () => pair.isForgotten || client.resetAndDestroy());
    client.on("error", () => upstream.destroy());
  });
  const listen = (port) => new Promise((resolve, reject) => server.once("error", reject).listen(port, host, resolve));
  await listen(0);
  const { port } = server.address();
  const stop = () => {
    server.close();
    for (const { client, upstream } of pairs) [client, upstream].forEach((socket) => socket.destroy());
  };
  return {
    address: `${host}:${port}`,
    /** Ends everything and refuses connections. */
    stop,
    /** Accepts connections again, after `stop`. */
    start: () => listen(port),
    /** Ends present connections at the server, of which the client learns nothing: as a router that forgot them. */
    forget: () => {
      for (const pair of pairs) {
        pair.isForgotten = true;
        pair.upstream.destroy();
      }
    },
    /** Forgotten connections that the client still holds to be open. */
    forgotten: () => [...pairs].filter(({ isForgotten, isClosing }) => isForgotten && !isClosing).length,
  };
}

/** A Close frame of a WebSocket client, without a reason, is its last: opcode, length, and a mask of four bytes. */
function endsWithClose(bytes) {
  return bytes.at(-6) === 0x88 && bytes.at(-5) === 0x80;
}

function delayed(pair, from, to, delayMs) {
  const later = (act) => setTimeout(() => to.destroyed || pair.isForgotten || act(), delayMs);
  from.on("data", (bytes) => later(() => to.write(bytes)));
  from.on("end", () => later(() => to.end()));
  from.on("close", () => later(() => to.destroy()));
}
