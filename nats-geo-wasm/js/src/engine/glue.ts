// Glue: one WebAssembly instance of the engine. wasm-bindgen's glue keeps its instance in a variable, so the build wraps
// it into a function: every call gives a fresh one. A trapped instance can then be dropped as a whole, its sockets too.

import { createGlue } from "virtual:engine";
import type { EngineConstructor } from "./types.ts";

export interface EngineInstance {
  readonly Engine: EngineConstructor;
  /** Ends what the instance has opened; nothing it does afterwards has an effect. */
  discard(): void;
}

/** `onTrap` is told once, from inside the call that trapped. */
export function instantiate(module: WebAssembly.Module, onTrap: (error: WebAssembly.RuntimeError) => void): EngineInstance {
  const sockets = new Set<WebSocket>();
  let isDead = false;
  const guard = <F extends (...values: unknown[]) => unknown>(call: F) => (...values: unknown[]): unknown => {
    // Timers and sockets of a dead instance still call it: they may, and nothing happens.
    if (isDead) return undefined;
    try {
      return call(...values);
    } catch (error) {
      if (error instanceof WebAssembly.RuntimeError && !isDead) {
        isDead = true;
        onTrap(error);
      }
      throw error;
    }
  };
  const glue = createGlue(trackedWebSocket(sockets));
  const { exports } = new WebAssembly.Instance(module, glue.imports);
  const guarded = Object.entries(exports).map(([name, value]) => [name, typeof value === "function" ? guard(value as () => unknown) : value]);
  glue.start({ exports: Object.fromEntries(guarded) });
  const discard = (): void => {
    isDead = true;
    for (const socket of sockets) socket.close();
  };
  return { Engine: glue.Engine as EngineConstructor, discard };
}

/** The `WebSocket` that the glue sees: open ones are known. */
function trackedWebSocket(sockets: Set<WebSocket>): typeof WebSocket {
  return new Proxy(WebSocket, {
    construct(target, values: ConstructorParameters<typeof WebSocket>) {
      const socket = new target(...values);
      sockets.add(socket);
      socket.addEventListener("close", () => sockets.delete(socket));
      return socket;
    },
  });
}
