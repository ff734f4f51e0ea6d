import { spawn } from "node:child_process";
import { realpathSync } from "node:fs";
import { pathToFileURL } from "node:url";

const heartbeatMs = 5_000;
const tailLines = 40;

/** Prints one line a message to stderr, so that stdout stays free for what a script answers. */
export function report(message) {
  process.stderr.write(`${message}\n`);
}

/** Seconds since `start` (from `performance.now()`), for people. */
export function elapsed(start) {
  const seconds = (performance.now() - start) / 1000;
  return seconds < 10 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds)} s`;
}

/** Runs `work`; says so at once, every few seconds, and at the end with the time it took. */
export async function step(label, work) {
  const start = performance.now();
  report(`• ${label} …`);
  const heartbeat = setInterval(() => report(`  ${label} … ${elapsed(start)}`), heartbeatMs);
  try {
    const result = await work();
    report(`✓ ${label} (${elapsed(start)})`);
    return result;
  } finally {
    clearInterval(heartbeat);
  }
}

/**
 * Runs a command with its output kept back and resolves to its stdout. Rejects with the last lines
 * of the output if it fails, as a {@link UserError} when it cannot be started at all.
 */
export function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let output = "";
    child.stdout.on("data", (chunk) => {
      stdout += chunk;
      output += chunk;
    });
    child.stderr.on("data", (chunk) => {
      output += chunk;
    });
    child.on("error", (error) => reject(new UserError(`cannot start ${command}: ${error.message}`)));
    child.on("close", (code, signal) => {
      if (code === 0) return resolve(stdout);
      const tail = output.trimEnd().split("\n").slice(-tailLines).join("\n");
      reject(new UserError(`${command} ${args.join(" ")} failed (${signal ?? `exit ${code}`}):\n${tail}`));
    });
  });
}

/** An error whose message says all there is to know: printed without a stack. */
export class UserError extends Error {}

/** Whether the module with this `import.meta.url` is the program, not an import of it. */
export function isMain(moduleUrl) {
  const program = process.argv[1];
  return program !== undefined && pathToFileURL(realpathSync(program)).href === moduleUrl;
}

/** Runs a script's own work; prints what went wrong, with a stack only where the fault is in the scripts. */
export async function main(work) {
  try {
    await work();
  } catch (error) {
    report(error instanceof UserError ? `✖ ${error.message}` : `✖ ${error?.stack ?? error}`);
    process.exitCode = 1;
  }
}
