import { failureExit } from "./command-line.ts";
import { diagnose } from "./diagnose.ts";
import { explain } from "./explain.ts";
import { keys } from "./keys/keys.ts";
import { logs } from "./logs.ts";
import type { OperatorCommand } from "./operator-command.ts";
import type { OperatorCommandName } from "./operator-command-names.ts";
import { quarantine } from "./quarantine.ts";
import { rollback } from "./rollback.ts";
import { status } from "./status.ts";
import { validateWithCollector } from "./validate-with-collector.ts";

const commands: Readonly<Record<OperatorCommandName, OperatorCommand>> = {
  status,
  logs,
  explain,
  rollback,
  quarantine,
  diagnose,
  keys,
  validate: validateWithCollector,
};

/** Runs a command of an operator and resolves to its exit code. Loaded by the process of such a command only. */
export async function runOperatorCommand(
  name: OperatorCommandName,
  args: readonly string[],
): Promise<number> {
  const command = commands[name];
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(command.usage);
    return 0;
  }
  try {
    return await command.run(args);
  } catch (error) {
    return failureExit(`opamp-supervisor ${name}`, error);
  }
}
