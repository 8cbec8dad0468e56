// Both clients, by the same name and with the same options.

import { wsconnect as coreConnect } from "@nats-io/nats-core";

let geo;

export const connect = {
  "nats-core": (url) => coreConnect({ servers: url }),
  "nats-geo": async (url) => {
    // The built package as it is served, with its engine beside it.
    geo ??= import("/nats-geo/core.js").then(async (module) => {
      await module.init();
      return module;
    });
    return (await geo).wsconnect({ servers: url, preset: "interactive" });
  },
};
