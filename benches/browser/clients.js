// Both clients, by the same name and with the same options, and what is between them and the best possible.

import { wsconnect as coreConnect } from "@nats-io/nats-core";
import { connectBare } from "./bare.js";

let geo;

export const connect = {
  bare: connectBare,
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
