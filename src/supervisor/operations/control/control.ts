import { describeError } from "../../../foundation/errors.ts";
import type { Logger } from "../../../foundation/logger.ts";
import { type ClearDeps, clearQuarantine, type QuarantineCleared } from "./quarantine-clear.ts";
import { listQuarantine } from "./quarantine-list.ts";
import { planRollback, RollbackCommand, type RollbackCommandDeps } from "./rollback-command.ts";
import type { Selection } from "./select-quarantined.ts";
import { serveControl } from "./server.ts";
import type { StatusView } from "./status-view.ts";

interface ControlDeps extends ClearDeps {
  rollBack: RollbackCommandDeps["rollBack"];
  mask: (text: string) => string;
  status: () => Promise<StatusView>;
  /** The state directory. */
  directory: string;
  logger: Logger;
}

/**
 * Opens the socket on which an operator of this host asks and commands. Without it the supervisor works all
 * the same, so that a failure is only logged.
 */
export async function openControl(deps: ControlDeps): Promise<{ close(): Promise<void> }> {
  const { directory, logger, status } = deps;
  const clear = (selection: Selection) => logged(deps, selection, () => clearQuarantine(selection, deps));
  const rollback = new RollbackCommand(deps);
  const server = await serveControl({
    directory,
    logger,
    routes: {
      "GET /v1/status": status,
      "GET /v1/quarantine": async () => listQuarantine(deps.book.quarantined),
      "DELETE /v1/quarantine": () => clear({ t: "all" }),
      "DELETE /v1/quarantine/*": (hash) => clear({ t: "hash", hash }),
      "GET /v1/rollback": async (_, query) => planRollback(deps.book, query.get("to") ?? undefined),
      "POST /v1/rollback/*": (id, query) =>
        rollback.run(id === "none" ? null : id, {
          wanted: query.get("to") ?? undefined,
          text: query.get("reason") ?? "",
        }),
    },
  }).catch((error: unknown) => {
    const fields = { event: "control_socket_failed", error: describeError(error) };
    logger.error(fields, "no command of an operator can be answered: the control socket cannot be made");
    return undefined;
  });
  return { close: async () => await server?.close() };
}

async function logged(
  { logger }: ControlDeps,
  selection: Selection,
  run: () => Promise<QuarantineCleared>,
): Promise<QuarantineCleared> {
  const { cleared, next } = await run();
  const fields = {
    event: "operator_command",
    command: "quarantine clear",
    selected: selection.t,
    cleared,
    next,
  };
  logger.info(fields, "an operator cleared the quarantine");
  return { cleared, next };
}
