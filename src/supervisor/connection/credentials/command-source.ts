import type { Clock } from "../../../foundation/clock.ts";
import { describeError } from "../../../foundation/errors.ts";
import { runOneShot } from "../../collector/process-one-shot.ts";
import type { HeadersCommandSettings } from "../../settings/supervisor-settings.ts";
import type { HeaderSource } from "./header-source.ts";
import { parseHeaderText } from "./header-text.ts";

const maxOutputBytes = 64 * 1024;

/** `server.headers_command`: run without a shell. What it writes to either stream is shown nowhere. */
export function commandSource(settings: HeadersCommandSettings, clock: Clock): HeaderSource {
  const [executable = "", ...args] = settings.command;
  return {
    name: "server.headers_command",
    intervalMs: settings.refreshIntervalMs,
    expiryBufferMs: settings.expiryBufferMs,
    async fetch() {
      const { timeoutMs } = settings;
      const env = Object.fromEntries(
        Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
      );
      const result = await runOneShot({ executable, args, env, timeoutMs, maxOutputBytes, clock });
      if (result.outcome === "not-started") throw result.error;
      if (result.outcome === "timed-out")
        throw new Error(`${executable} did not end within ${timeoutMs / 1_000} s`);
      const { code, signal } = result;
      if (code !== 0) throw new Error(`${executable} ended with ${signal ?? `exit code ${code}`}`);
      try {
        return parseHeaderText(result.stdout, clock.now());
      } catch (error) {
        throw new Error(`the output of ${executable}: ${describeError(error)}`);
      }
    },
  };
}
