import { describeError } from "../../foundation/errors.ts";
import { exitCode, UsageError } from "../command-line.ts";
import type { OperatorCommand } from "../operator-command.ts";
import { keysCommands } from "./commands.ts";
import { usage } from "./usage.ts";

/** `opamp-supervisor keys`. */
export const keys: OperatorCommand = {
  usage,
  async run([name = "", ...args]) {
    const command = Object.hasOwn(keysCommands, name) ? keysCommands[name] : undefined;
    if (command === undefined) {
      const found = name === "" ? "" : `, not "${name}"`;
      throw new UsageError(`expected keys generate, sign, verify or rotate${found}`);
    }
    try {
      process.stdout.write(`${await command(args, Math.floor(Date.now() / 1_000))}\n`);
      return exitCode.ok;
    } catch (error) {
      if (error instanceof UsageError) throw error;
      process.stderr.write(`opamp-supervisor: ${describeError(error)}\n`);
      return exitCode.failed;
    }
  },
};
