// Module: the engine's compiled WebAssembly, loaded once per realm.

import type { InitInput } from "../../types/core.js";
import { ConnectionError, NotInitializedError } from "../errors.ts";

/** Name of the file beside the script, with a hash of its content; set by the build. */
declare const WASM_FILE: string;
/** Whether this is the classic build, which has no `import.meta.url`; set by the build. */
declare const CLASSIC: boolean;

let loading: Promise<void> | undefined;
let loaded: WebAssembly.Module | undefined;

/** Returns the default URL of the engine's WebAssembly file. */
export function wasmUrl(): URL {
  // In one piece, because bundlers look for exactly this expression.
  return CLASSIC ? new URL(WASM_FILE, globalThis.location.href) : new URL(WASM_FILE, import.meta.url);
}

/** Loads the engine once. After a failure, the next call tries again. */
export function init(input?: InitInput | Promise<InitInput>): Promise<void> {
  loading ??= load(input).catch((error: unknown) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

/** Returns the compiled module. Throws a `NotInitializedError` before `init()` has resolved. */
export function engineModule(): WebAssembly.Module {
  if (!loaded) throw new NotInitializedError();
  return loaded;
}

async function load(given?: InitInput | Promise<InitInput>): Promise<void> {
  if (typeof WebAssembly === "undefined") {
    throw new ConnectionError("this browser has no WebAssembly, which nats-geo needs: some security settings disable it", { code: "ENGINE_NOT_LOADED" });
  }
  const input = (await given) ?? wasmUrl();
  if (input instanceof WebAssembly.Module) {
    loaded = input;
    return;
  }
  if (input instanceof ArrayBuffer || ArrayBuffer.isView(input)) {
    loaded = await WebAssembly.compile(input);
    return;
  }
  const url = input instanceof Request || input instanceof Response ? input.url : String(input);
  try {
    const response = input instanceof Response ? input : await fetch(input);
    if (!response.ok) throw new Error(`status ${response.status}`);
    loaded = await compile(response);
  } catch (cause) {
    const remedy = 'serve it there as application/wasm, or pass its address; a Content-Security-Policy must allow "wasm-unsafe-eval" in script-src and the origin of this file in connect-src';
    throw new ConnectionError(`nats-geo's WebAssembly engine could not be loaded from ${url}: ${String(cause)}; ${remedy}`, { cause, code: "ENGINE_NOT_LOADED" });
  }
}

/** Servers that do not know wasm's type are common, and streaming insists on it. */
async function compile(response: Response): Promise<WebAssembly.Module> {
  const type = response.headers.get("content-type") ?? "";
  if (type.startsWith("application/wasm")) return WebAssembly.compileStreaming(response);
  return WebAssembly.compile(await response.arrayBuffer());
}
