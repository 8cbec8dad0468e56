// The hand-written declarations against the sources: tsc, which build and tests run first, fails here when they differ.

import type * as declaredCore from "../types/core.js";
import type * as declaredIndex from "../types/index.js";
import type * as declaredSw from "../types/sw.js";
import type * as core from "../src/core.ts";
import type * as index from "../src/index.ts";
import type * as sw from "../src/sw.ts";

/** Compiles only when `Source` has everything that `Declared` promises. */
type Keeps<Source extends Declared, Declared> = Source;
/** Compiles only when nothing is exported that is not declared. */
type Declares<Declared, Names extends keyof Declared> = [Declared, Names];

export type Promises = [Keeps<typeof core, typeof declaredCore>, Keeps<typeof index, typeof declaredIndex>, Keeps<typeof sw, typeof declaredSw>];
export type Names = [Declares<typeof declaredCore, keyof typeof core>, Declares<typeof declaredIndex, keyof typeof index>, Declares<typeof declaredSw, keyof typeof sw>];
