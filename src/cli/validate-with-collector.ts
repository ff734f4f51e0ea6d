import { checkWithCollector } from "../supervisor/operations/check-with-collector.ts";
import { becomeOwnerOf } from "../supervisor/operations/control/at-rest.ts";
import { readSupervisorEnvironment } from "../supervisor/operations/control/service-unit.ts";
import { loadSupervisorSettings } from "../supervisor/settings/load.ts";
import { exitCode, UsageError } from "./command-line.ts";
import {
  type OperatorCommand,
  parseOperatorOptions,
  stateDirectoryOf,
  tellFailure,
} from "./operator-command.ts";
import { plain } from "./plain-text.ts";

const usage = `Usage: opamp-supervisor validate --config FILE --with-collector

Checks supervisor.yaml, merges what a start would merge now (the remote configuration that was kept last and the local
files as they are), and has the Collector's own binary validate the result. Starts nothing and changes nothing. As root
it goes on as the owner of the state directory. A port that another program has is only found by a start.

Exit codes: 0 valid, 1 the Collector or agent.restrictions refuse it, or it could not be checked, 2 bad usage or bad settings
`;

async function run(args: readonly string[]): Promise<number> {
  const { config, positionals } = parseOperatorOptions(args, ["with-collector"]);
  if (positionals.length > 0) throw new UsageError(`unexpected "${positionals.join(" ")}"`);
  const directory = stateDirectoryOf(config);
  const env = (await readSupervisorEnvironment(directory)) ?? process.env;
  const loaded = loadSupervisorSettings(config, { env });
  for (const warning of loaded.warnings) process.stderr.write(`warning: ${warning}\n`);
  process.stdout.write(`${config}: valid\n`);
  try {
    // What a Collector does as root it may do as anybody; and what root can read says nothing of the service.
    await becomeOwnerOf(directory);
    const { validation, problems, withRemote } = await checkWithCollector(loaded, env);
    for (const problem of problems) process.stderr.write(`${plain(problem)}\n`);
    if (validation.verdict !== "valid") throw new Error(describe(validation));
    if (problems.length > 0) return exitCode.failed;
    const what = withRemote
      ? "with the remote configuration that was kept last"
      : "no remote configuration was kept here";
    process.stdout.write(
      `the merged configuration is valid for ${loaded.settings.agent.executable} (${what})\n`,
    );
    return exitCode.ok;
  } catch (error) {
    return tellFailure(error);
  }
}

function describe({ verdict, reason }: { verdict: "invalid" | "undecided"; reason: string }): string {
  return verdict === "invalid" ? `the Collector refuses the merged configuration: ${reason}` : reason;
}

export const validateWithCollector: OperatorCommand = { usage, run };
