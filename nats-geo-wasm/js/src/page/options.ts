// Page options: what a page says about worker and mode, apart from what the connection is given.

import type { PageOptions } from "../../types/index.js";
import type { Authenticator } from "../../types/nats.js";
import { keyOf } from "../auth.ts";
import { InvalidArgumentError } from "../errors.ts";
import { parseOptions } from "../options.ts";
import type { PostedOptions } from "../protocol.ts";

/** Where the worker's script is unless told. */
const WORKER_URL_DEFAULT = "/nats-geo-sw.js";

export interface ParsedPageOptions {
  readonly mode: "auto" | "worker" | "page";
  readonly worker: { readonly url: string | URL; readonly type: "module" | "classic"; readonly scope: string | undefined };
  readonly connection: Omit<PageOptions, "mode" | "worker" | "wasm">;
}

export function parsePageOptions(options: PageOptions = {}): ParsedPageOptions {
  const { mode = "auto", worker = {}, wasm: _wasm, ...connection } = options;
  if (!["auto", "worker", "page"].includes(mode)) throw new InvalidArgumentError(`mode is ${JSON.stringify(mode)}: use "auto", "worker" or "page"`);
  const { url = WORKER_URL_DEFAULT, type = "module", scope } = worker;
  if (type !== "module" && type !== "classic") throw new InvalidArgumentError(`worker.type is ${JSON.stringify(type)}: use "module" or "classic"`);
  if (scope?.endsWith("/") === false) throw new InvalidArgumentError(`worker.scope is ${JSON.stringify(scope)}: it must end with "/", as in ${JSON.stringify(`${scope}/`)}`);
  return { mode, worker: { url, type, scope }, connection };
}

/**
 * Returns the options that the page posts to the worker; `posted` is undefined if the worker must use the options of its
 * own script.
 */
export async function postable(options: ParsedPageOptions["connection"]): Promise<{ posted: PostedOptions | undefined; authenticator: Authenticator | undefined }> {
  if (Object.keys(options).length === 0) return { posted: undefined, authenticator: undefined };
  const { engine, authenticator, credentials } = parseOptions(options);
  const only = Array.isArray(options.authenticator) ? options.authenticator[0] : options.authenticator;
  const isAlone = [options.authenticator ?? []].flat().length === 1;
  // A key can go to the worker, which then needs no page to sign; a function cannot.
  const key = credentials ?? (isAlone && only ? await keyOf(only) : undefined);
  const answers = authenticator !== undefined && key === undefined;
  return { posted: { engine, credentials: key, answers }, authenticator: answers ? authenticator : undefined };
}
