// Waiting for a condition, never for a time.

const STEP_MS = 20;

/** Resolves with the condition's first true value; fails with its name when there is none in time. */
export async function until(what, condition, limitMs = 10_000) {
  const end = performance.now() + limitMs;
  let last;
  while (performance.now() < end) {
    try {
      last = await condition();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, STEP_MS));
  }
  throw new Error(`not within ${limitMs} ms: ${what}; last seen: ${last instanceof Error ? last.message : JSON.stringify(last)}`);
}
