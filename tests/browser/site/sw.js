import "/configuration.js";
import { NatsGeoWorker } from "/nats-geo/sw.js";

new NatsGeoWorker(self.CONFIGURATION);
