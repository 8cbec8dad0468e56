// What runs in the page and in the worker: one round of one client.

/** As many publishes as both clients hold until the next round trip. */
const FLUSH_EVERY = 4096;

/** Messages per second. `nc` is connected by one of the two clients. */
export async function round(nc, { task, subject, bytes, count }) {
  try {
    return await (task === "publish" ? publish(nc, subject, new Uint8Array(bytes).fill(120), count) : receive(nc, subject, count));
  } finally {
    await nc.close();
  }
}

async function publish(nc, subject, payload, count) {
  const start = performance.now();
  for (let sent = 0; sent < count; sent += 1) {
    nc.publish(subject, payload);
    if (sent % FLUSH_EVERY === 0) await nc.flush();
  }
  await nc.flush();
  return perSecond(count, start);
}

/** From the first message to the last; another process sends them as soon as it sees the subscription. */
async function receive(nc, subject, count) {
  let received = 0;
  let start = 0;
  await new Promise((resolve) => {
    nc.subscribe(subject, {
      callback: () => {
        received += 1;
        if (received === 1) start = performance.now();
        if (received === count) resolve();
      },
    });
  });
  return perSecond(count - 1, start);
}

function perSecond(count, start) {
  return (count / (performance.now() - start)) * 1000;
}
