import { parseDuration } from "../../foundation/settings-file/duration.ts";
import { UsageError } from "../command-line.ts";
import type { CtlCall } from "./ctl-command.ts";

/** `--timeout` in milliseconds; undefined without one. @throws UsageError */
export function parseTimeout(call: CtlCall): number | undefined {
  const text = call.text("timeout");
  if (text === undefined) return undefined;
  const milliseconds = parseDuration(text);
  if (milliseconds !== undefined && milliseconds > 0) return milliseconds;
  throw new UsageError(`--timeout ${text}: expected a duration such as 300s`);
}
