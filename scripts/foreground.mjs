import { spawn } from "node:child_process";
import { constants } from "node:os";

/**
 * Runs a command on this terminal and resolves to its exit code (128 + number after a signal), as if
 * it had been started instead of this process.
 */
export function runInForeground(command, args, options = {}) {
  const child = spawn(command, args, { ...options, stdio: "inherit" });
  const onTerminal = [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY);
  const forwarders = ["SIGINT", "SIGTERM", "SIGHUP"].map((signal) => {
    // A terminal sends Ctrl-C to the child too; passing it on would deliver it twice.
    const forward = () => (signal === "SIGINT" && onTerminal ? undefined : child.kill(signal));
    process.on(signal, forward);
    return [signal, forward];
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => resolve(code ?? 128 + constants.signals[signal]));
  }).finally(() => {
    for (const [signal, forward] of forwarders) process.off(signal, forward);
  });
}
