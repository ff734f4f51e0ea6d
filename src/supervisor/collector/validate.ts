import { type Clock, systemClock } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import type { Environment } from "./process-environment.ts";
import { executableProblem } from "./process-executable.ts";
import { runOneShot } from "./process-one-shot.ts";
import type { RunAs } from "./run-as-command.ts";
import { validationMessage } from "./validate-message.ts";

export interface ValidateOptions {
  executable: string;
  /** The merged file; it must be readable by the user that the Collector runs as. */
  configPath: string;
  /** `agent.args`: the same as for the run, or the verdict is another's. */
  args: readonly string[];
  featureGates?: readonly string[];
  env: Environment;
  cwd?: string | undefined;
  timeoutMs: number;
  runAs?: RunAs | undefined;
  clock?: Clock;
  /** Ends the check early; the verdict is then `undecided`. */
  signal?: AbortSignal | undefined;
}

/** `undecided` is the host's failure and says nothing about the configuration. */
export type Validation =
  | { verdict: "valid" }
  | { verdict: "invalid"; reason: string }
  | { verdict: "undecided"; reason: string };

/**
 * Has the Collector itself check a configuration file, without starting it. It binds no port, so a valid
 * file may still fail to start. The reason quotes the Collector, which quotes the file: redact it.
 */
export async function validateConfiguration(options: ValidateOptions): Promise<Validation> {
  const { executable, configPath, args, featureGates = [], env, cwd, timeoutMs, runAs } = options;
  const problem = executableProblem(executable);
  if (problem !== undefined) return { verdict: "undecided", reason: problem };
  const gates = featureGates.length === 0 ? [] : ["--feature-gates", featureGates.join(",")];
  const result = await runOneShot({
    executable,
    args: ["validate", "--config", configPath, ...gates, ...args],
    env,
    cwd,
    timeoutMs,
    maxOutputBytes: 65_536,
    runAs,
    clock: options.clock ?? systemClock,
    signal: options.signal,
  });
  if (result.outcome === "not-started") return { verdict: "undecided", reason: describeError(result.error) };
  const message = validationMessage(`${result.stdout}\n${result.stderr}`);
  if (result.outcome === "timed-out") {
    const reason = `${executable} validate did not end within ${timeoutMs} ms${message === "" ? "" : `: ${message}`}`;
    return { verdict: "undecided", reason };
  }
  const { code, signal } = result;
  if (code === 0) return { verdict: "valid" };
  const ending = signal === null ? `exit code ${code}` : `killed by ${signal}`;
  const reason = `${ending}${message === "" ? "" : `: ${message}`}`;
  return { verdict: isHostFailure(code, message) ? "undecided" : "invalid", reason };
}

/** Nothing a configuration can do makes these: a kill, an exec that failed, a command too old to validate. */
function isHostFailure(code: number | null, message: string): boolean {
  if (code === null || code === 126 || code === 127) return true;
  return message.startsWith("setpriv:") || message.startsWith('unknown command "validate"');
}
