import { parseArgs } from "node:util";

/** Commands for an operator of this host. */
const operatorCommandNames = [
  "status",
  "logs",
  "explain",
  "rollback",
  "quarantine",
  "diagnose",
  "keys",
  "validate",
] as const;
export type OperatorCommandName = (typeof operatorCommandNames)[number];

/** The command that is called for and the arguments without it; undefined when it is none of these. */
export function findOperatorCommand(
  argv: readonly string[],
): { name: OperatorCommandName; args: readonly string[] } | undefined {
  const args = argv.map((argument) => argument.replace(/^-(config|help)(?==|$)/, "--$1"));
  const { tokens } = parseArgs({
    args,
    strict: false,
    tokens: true,
    options: { config: { type: "string" }, "log-level": { type: "string" } },
  });
  const first = tokens.find((token) => token.kind === "positional");
  const name = operatorCommandNames.find((known) => known === first?.value);
  // Alone it reads one file, which the supervisor's own process can do.
  if (name === "validate" && !args.includes("--with-collector")) return undefined;
  return first === undefined || name === undefined
    ? undefined
    : { name, args: args.toSpliced(first.index, 1) };
}
