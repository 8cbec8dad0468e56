// Sentences about data that is missing.

import { plural } from "../../report/src/format.ts";
import type { Overview } from "./model.ts";

/** Returns sentences about servers that gave no answer. */
export function problems({ silent, failed }: Overview): string[] {
  const missing = silent > 0 ? [`${plural(silent, "server")} that the others know did not answer: ${silent === 1 ? "it is" : "they are"} slower than --timeout, or died some minutes ago at most.`] : [];
  return [...missing, ...failed];
}
