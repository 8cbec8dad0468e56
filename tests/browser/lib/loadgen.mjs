// Starts a command of loadgen that stays, such as `up`, and reads the address that it prints first.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

const ROOT = join(import.meta.dirname, "../../..");

/** Resolves with the first line of its standard output, and what ends it as Ctrl-C does. */
export async function startLoadgen(args, limitMs, env = {}) {
  // Cargo replaces itself by the command, so signals reach it.
  const child = spawn("cargo", ["run", "--quiet", "--package", "loadgen", "--", ...args], { cwd: ROOT, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "inherit"] });
  const printed = once(createInterface(child.stdout), "line");
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`loadgen ended with ${code}`);
  });
  ended.catch(() => {});
  const late = AbortSignal.timeout(limitMs);
  const [address] = await Promise.race([printed, ended, once(late, "abort").then(() => Promise.reject(late.reason))]);
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGINT");
    await once(child, "exit");
  };
  return { address, stop };
}
