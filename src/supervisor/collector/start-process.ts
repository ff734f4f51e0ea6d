import type { Clock } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { AgentLog } from "./agent-log.ts";
import type { Launch } from "./launch.ts";
import type { MemoryLimit } from "./memory-limit.ts";
import { type CollectorProcess, spawnCollector } from "./process.ts";
import type { RunAs } from "./run-as.ts";

interface StartProcessDeps {
  clock: Clock;
  logger: Logger;
  log: AgentLog;
  runAs: RunAs | undefined;
  /** `agent.on_supervisor_exit: stop`. */
  endsWithUs: boolean;
  memory: MemoryLimit | undefined;
  /** Where the Collector reads its configuration. */
  configPath: string;
  /** Puts the configuration of a mark there again, should somebody have taken it away. */
  ensureInstalled: (mark: string) => Promise<void>;
}

/**
 * Starts the process of a launch. A disk that cannot be written keeps it neither from a configuration that lies
 * there nor from running without a log.
 * @throws when the process cannot be started
 */
export async function startProcess(
  { mark, executable, args, env }: Launch,
  { clock, logger, log, runAs, endsWithUs, memory, configPath, ensureInstalled }: StartProcessDeps,
): Promise<CollectorProcess> {
  if (args.includes(configPath)) {
    await ensureInstalled(mark).catch((error: unknown) => {
      const fields = { event: "state_not_saved", error: describeError(error) };
      logger.error(fields, "the Collector's configuration cannot be put back in place");
    });
  }
  const logFd = await log.openForAppend().catch((error: unknown) => {
    logger.error(
      { event: "agent_log_unusable", error: describeError(error) },
      "the Collector runs without a log",
    );
    return "ignore" as const;
  });
  try {
    return await spawnCollector({ executable, args, env, logFd, runAs, endsWithUs, memory, clock });
  } finally {
    if (logFd !== "ignore") await log.release(logFd);
  }
}
