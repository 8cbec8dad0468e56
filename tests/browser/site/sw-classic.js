importScripts("/configuration.js", "/nats-geo/sw-classic.js");

new NatsGeo.NatsGeoWorker({ ...self.CONFIGURATION, wasm: self.CONFIGURATION.classicWasm });
