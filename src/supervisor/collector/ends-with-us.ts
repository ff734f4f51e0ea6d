import { systemClock } from "../../foundation/clock.ts";
import type { Logger } from "../../foundation/logger.ts";
import { runOneShot } from "./process-one-shot.ts";
import { commandAs } from "./run-as-command.ts";

/**
 * Whether a Collector can be bound to the life of this process, for `agent.on_supervisor_exit: stop`. Where it cannot,
 * its own look at its parent (`ppid` of the extension) is all there is, and that is only logged: a Collector that
 * lives too long is better than none.
 */
export async function canEndWithUs(logger: Logger): Promise<boolean> {
  const { file, args } = commandAs("true", [], undefined, { endsWithUs: true });
  const result = await runOneShot({
    executable: file,
    args,
    env: process.env,
    timeoutMs: 5_000,
    clock: systemClock,
  });
  if (result.outcome === "exited" && result.code === 0) return true;
  logger.warn(
    { event: "on_supervisor_exit_unsupported" },
    "agent.on_supervisor_exit: stop needs setpriv with --pdeathsig (util-linux 2.33): without it the Collector outlives a supervisor that is killed, unless its extension watches its parent",
  );
  return false;
}
