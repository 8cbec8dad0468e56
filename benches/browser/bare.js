// A WebSocket with as little of a client around it as can pass for one: what a browser could do at best.

const encoder = new TextEncoder();
/** As nats-geo writes. */
const WRITE_BYTES = 64 * 1024;

/** Publishes one subject and payload, ready made; counts what comes in by its length alone. */
export function connectBare(url, { bytes }) {
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  const buffer = new Uint8Array(WRITE_BYTES);
  let used = 0;
  let message;
  let pong;
  let received;
  const write = () => {
    if (used > 0) socket.send(buffer.subarray(0, used));
    used = 0;
  };
  const roundTrip = () => {
    write();
    socket.send(encoder.encode("PING\r\n"));
    return new Promise((resolve) => (pong = resolve));
  };
  socket.addEventListener("message", ({ data }) => {
    if (received) received(data.byteLength);
    else if (new TextDecoder().decode(data).includes("PONG\r\n")) pong?.();
  });
  const nc = {
    publish(subject, payload) {
      message ??= joined(`PUB ${subject} ${bytes}\r\n`, payload);
      if (used + message.length > WRITE_BYTES) write();
      buffer.set(message, used);
      used += message.length;
    },
    subscribe(subject, { callback }) {
      const size = encoder.encode(`MSG ${subject} 1 ${bytes}\r\n`).length + bytes + 2;
      let pending = 0;
      received = (length) => {
        for (pending += length; pending >= size; pending -= size) callback();
      };
      socket.send(encoder.encode(`SUB ${subject} 1\r\n`));
    },
    flush: roundTrip,
    close: async () => socket.close(),
  };
  return new Promise((resolve, reject) => {
    socket.addEventListener("error", () => reject(new Error(`${url} cannot be opened`)));
    socket.addEventListener("open", async () => {
      socket.send(encoder.encode('CONNECT {"verbose":false,"protocol":1}\r\n'));
      await roundTrip();
      resolve(nc);
    });
  });
}

function joined(line, payload) {
  const head = encoder.encode(line);
  const message = new Uint8Array(head.length + payload.length + 2);
  message.set(head);
  message.set(payload, head.length);
  message.set([13, 10], head.length + payload.length);
  return message;
}
