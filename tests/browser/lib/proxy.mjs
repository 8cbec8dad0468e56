// A TCP proxy that delays both directions: distance, on one machine. Bytes wait in a queue with the time they are due,
// so that throughput does not suffer and order stays.

import net from "node:net";

/** Starts a proxy on a free port of `host`. `rttMs` is what a round trip through it takes longer. */
export async function startProxy(host, targetPort, rttMs) {
  const sockets = new Set();
  const server = net.createServer((client) => {
    const upstream = net.connect(targetPort, "127.0.0.1");
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
    }
    delayed(client, upstream, rttMs / 2);
    delayed(upstream, client, rttMs / 2);
    // What is refused behind the proxy is refused in front of it.
    upstream.on("error", () => client.resetAndDestroy());
    client.on("error", () => upstream.destroy());
  });
  await new Promise((resolve, reject) => server.listen(0, host, resolve).on("error", reject));
  const stop = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { address: `${host}:${server.address().port}`, stop };
}

function delayed(from, to, delayMs) {
  from.on("data", (bytes) => setTimeout(() => to.destroyed || to.write(bytes), delayMs));
  from.on("end", () => setTimeout(() => to.destroyed || to.end(), delayMs));
  from.on("close", () => setTimeout(() => to.destroy(), delayMs));
}
