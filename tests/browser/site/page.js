// What the tests call: the package, and a few lines around it.
import * as natsGeo from "/nats-geo/index.js";

window.natsGeo = natsGeo;

/** An error as the tests compare it. */
window.failure = (error) => ({
  name: error?.name,
  code: error?.code,
  message: error?.message,
  cause: error?.cause?.name,
  isError: error instanceof Error,
  isNatsError: error instanceof natsGeo.NatsError,
});

/** How something ends, and how long it took. */
window.outcome = async (work) => {
  const start = performance.now();
  try {
    return { value: await work(), ms: performance.now() - start };
  } catch (error) {
    return { error: window.failure(error), ms: performance.now() - start };
  }
};

window.ready = true;
