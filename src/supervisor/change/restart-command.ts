import { describeError } from "../../foundation/errors.ts";
import type { Workshop } from "./workshop.ts";

/** The server's order to restart the Collector: the same configuration in a new process. */
export async function restartCollector(workshop: Workshop): Promise<void> {
  const { book, collector, clock, logger } = workshop;
  const { current } = book;
  if (current === null || current.id === null) {
    const message = "told to restart the Collector, but its configuration is to run none";
    logger.warn({ event: "restart_ignored" }, message);
    return;
  }
  const what = { ...current, id: current.id };
  const began = clock.monotonic();
  // What lies there may be a slow starter that was given up waiting for.
  await workshop.install(what).catch((error: unknown) => {
    const fields = { event: "state_not_saved", what: "effective.yaml", error: describeError(error) };
    logger.error(fields, "the configuration that lies there is started");
  });
  const launch = await workshop.launch(what);
  try {
    await collector.run(launch, false);
  } catch (error) {
    const reason = describeError(error);
    logger.error({ event: "restart_failed", error: reason }, "the Collector cannot be started");
    collector.relaunchAfter(launch, 1_000, reason);
    return;
  }
  const duration_ms = Math.round(clock.monotonic() - began);
  const fields = { event: "collector_restarted", reason: "command of the server", duration_ms };
  logger.info(fields, "the Collector was restarted");
}
