// A page that nobody is attached to: it connects by itself, and tells by NATS, when it is asked, how it has fared.
import * as natsGeo from "/nats-geo/index.js";

const name = new URLSearchParams(location.search).get("mode");
let hiddenSince = document.hidden ? performance.now() : undefined;
document.addEventListener("visibilitychange", () => (hiddenSince = document.hidden ? performance.now() : undefined));

const nc = await natsGeo.connect({ ...self.CONFIGURATION.connections[name], name });
const statuses = [];
void (async () => {
  for await (const { type } of nc.status()) statuses.push(type);
})();
nc.subscribe(`fared.${name}`, {
  callback: (error, message) => {
    const hiddenMs = hiddenSince === undefined ? 0 : performance.now() - hiddenSince;
    message.respond(JSON.stringify({ mode: nc.mode, hiddenMs, statuses }));
  },
});
