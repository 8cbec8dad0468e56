// Starts commands of loadgen: one that stays, such as `up`, or one that ends by itself, such as `run`.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

const ROOT = join(import.meta.dirname, "../../..");

/**
 * Starts a command that stays. Resolves with the first line of its standard output, and what ends it as Ctrl-C does.
 * With `ready`, resolves with the first line of its standard error that matches: an agent prints its lines there.
 */
export async function startLoadgen(args, limitMs, env = {}, ready) {
  const { child, stop } = begin(args, env, ready ? ["ignore", "ignore", "pipe"] : ["ignore", "pipe", "inherit"]);
  const printed = ready ? matchingLine(child.stderr, ready) : once(createInterface(child.stdout), "line").then(([line]) => line);
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`loadgen ended with ${code}`);
  });
  ended.catch(() => {});
  const late = AbortSignal.timeout(limitMs);
  const address = await Promise.race([printed, ended, once(late, "abort").then(() => Promise.reject(late.reason))]);
  return { address, stop };
}

/** Starts a command that ends by itself. `ended` resolves with its exit code, and `errors()` is its standard error until now. */
export function runLoadgen(args, env = {}) {
  const { child, stop } = begin(args, env, ["ignore", "ignore", "pipe"]);
  let printed = "";
  child.stderr.on("data", (part) => {
    printed += part;
    process.stderr.write(part);
  });
  const ended = once(child, "close").then(([code]) => code);
  // A test that fails before the end does not wait for it.
  ended.catch(() => {});
  return { ended, stop, kill: () => child.kill("SIGKILL"), errors: () => printed };
}

function begin(args, env, stdio) {
  // Cargo replaces itself by the command, so signals reach it.
  const child = spawn("cargo", ["run", "--quiet", "--package", "loadgen", "--", ...args], { cwd: ROOT, env: { ...process.env, ...env }, stdio });
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGINT");
    await once(child, "exit");
  };
  return { child, stop };
}

/** Resolves with the first line that matches. All lines go on to the standard error of the test. */
function matchingLine(stream, wanted) {
  return new Promise((resolve) => createInterface(stream).on("line", (line) => {
    process.stderr.write(`${line}\n`);
    if (wanted.test(line)) resolve(line);
  }));
}
