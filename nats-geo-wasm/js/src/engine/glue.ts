// Glue: one WebAssembly instance of the engine. wasm-bindgen's glue keeps its instance in a variable, so the build wraps
// it into a function: every call gives a fresh one. A trapped instance can then be dropped as a whole, its sockets too.

import { createGlue } from "virtual:engine";
import type { EngineConstructor } from "./types.ts";

export interface EngineInstance {
  readonly Engine: EngineConstructor;
  /** Closes the sockets of the instance. Later calls of the instance have no effect. */
  discard(): void;
}

/** Creates an instance of the engine. `onTrap` is called once, during the call that trapped. */
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
      closesWhenOpen(socket);
      sockets.add(socket);
      socket.addEventListener("close", () => sockets.delete(socket));
      return socket;
    },
  });
}

/** The engine gives a dial or a probe up after 2 s. Until then a socket that nobody wants any more may still open. */
const OPENING_MAX_MS = 2000;

/**
 * Firefox takes a socket that is closed before it has opened for one that has failed, and delays the next ones to that
 * server by 200 ms and more. So such a socket is closed once it has opened, or when it has taken too long.
 */
function closesWhenOpen(socket: WebSocket): void {
  const createdMs = performance.now();
  const close = socket.close.bind(socket);
  socket.close = (): void => {
    const leftMs = createdMs + OPENING_MAX_MS - performance.now();
    if (socket.readyState !== socket.CONNECTING || leftMs <= 0) return close();
    const timer = setTimeout(close, leftMs);
    socket.addEventListener("open", () => {
      clearTimeout(timer);
      close();
    });
  };
}
