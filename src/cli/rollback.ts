import { createInterface } from "node:readline/promises";
import { findLeftPid, readBookAtRest } from "../supervisor/operations/control/at-rest.ts";
import { rollBackAtRest } from "../supervisor/operations/control/rollback-at-rest.ts";
import {
  makeRollbackPlanSchema,
  maxReasonLength,
  planRollback,
  type RollbackPlan,
} from "../supervisor/operations/control/rollback-command.ts";
import { askIfRunning } from "./ask-supervisor.ts";
import { exitCode, UsageError } from "./command-line.ts";
import {
  type OperatorCommand,
  parseOperatorOptions,
  stateDirectoryOf,
  tellFailure,
} from "./operator-command.ts";
import { plain, shortHash } from "./plain-text.ts";

const planTimeoutMs = 5_000;
/** A change under way is waited for, and the proof may take minutes. */
const rollbackTimeoutMs = 15 * 60_000;

const usage = `Usage: opamp-supervisor rollback --config FILE [--to HASH] [--reason TEXT] [--yes] [--json]

Takes this host back to the configuration that ran before the present one. It is checked, switched to and proven
like any change; when that fails, what runs now goes on. The server is told that what was rolled back FAILED, with
your reason, and this host refuses it until the server offers something else or you clear it:
  opamp-supervisor quarantine clear HASH

Options:
  --config FILE  settings of the supervisor; only storage.directory is read
  --to HASH      back to this one, of those that are still known to work; its first digits will do
  --reason TEXT  why, for the server and whoever looks here next; up to ${maxReasonLength} characters
  --yes          do not ask before
  --json         print what was done as JSON; needs --yes
  --help         print this text

When the supervisor is not running, its next start runs the older configuration, on probation.

Exit codes: 0 rolled back, 1 not rolled back (nothing to go back to, it does not work any more, you said no),
2 bad usage or bad settings
`;

interface Call {
  directory: string;
  wanted: string | undefined;
  text: string;
  json: boolean;
  yes: boolean;
}

async function run(args: readonly string[]): Promise<number> {
  const { config, positionals, has, textOf } = parseOperatorOptions(args, ["yes", "json"], {
    named: ["to", "reason"],
  });
  if (positionals.length > 0)
    throw new UsageError(`unexpected "${positionals.join(" ")}"; did you mean --to?`);
  const text = plain(textOf("reason") ?? "");
  if (text.length > maxReasonLength) throw new UsageError(`--reason: at most ${maxReasonLength} characters`);
  const [yes, json] = [has("yes"), has("json")];
  if (!yes && json) throw new UsageError("--json needs --yes");
  if (!yes && !process.stdin.isTTY) throw new UsageError("nobody is there to answer: say --yes");
  const directory = stateDirectoryOf(config);
  try {
    return await rollBack({ directory, wanted: textOf("to"), text, json, yes });
  } catch (error) {
    return tellFailure(error);
  }
}

async function rollBack(call: Call): Promise<number> {
  const { directory, wanted, json, yes } = call;
  const to = wanted === undefined ? "" : `?to=${encodeURIComponent(wanted)}`;
  const question = { method: "GET", path: `/v1/rollback${to}`, timeoutMs: planTimeoutMs } as const;
  const asked = await askIfRunning(directory, question, makeRollbackPlanSchema());
  const plan = asked ?? planRollback(await readBookAtRest(directory), wanted);
  if (!yes) {
    process.stdout.write(`${formatPlan(plan, call)}\n`);
    if (!(await confirms())) {
      process.stdout.write("nothing was changed\n");
      return exitCode.failed;
    }
  }
  const done = asked === undefined ? await onFiles(plan, call) : await bySupervisor(plan, call);
  process.stdout.write(`${json ? JSON.stringify(done, undefined, 2) : formatDone(done)}\n`);
  if (asked === undefined && !json) process.stdout.write(`${await describeNextStart(directory)}\n`);
  return exitCode.ok;
}

async function bySupervisor(
  { from }: RollbackPlan,
  { directory, wanted, text }: Call,
): Promise<RollbackPlan> {
  const query = new URLSearchParams({ reason: text, ...(wanted !== undefined && { to: wanted }) });
  const onWait = () => {
    process.stderr.write("it is being checked and proven; a change that is under way ends first\n");
  };
  const path = `/v1/rollback/${from.id ?? "none"}?${query.toString()}`;
  const question = { method: "POST", path, timeoutMs: rollbackTimeoutMs, onWait } as const;
  const done = await askIfRunning(directory, question, makeRollbackPlanSchema());
  if (done === undefined) throw new Error("the supervisor has just ended: try again");
  return done;
}

function onFiles({ from }: RollbackPlan, { directory, wanted, text }: Call): Promise<RollbackPlan> {
  return rollBackAtRest(directory, { wanted, fromId: from.id, text });
}

async function describeNextStart(directory: string): Promise<string> {
  const pid = await findLeftPid(directory);
  const left = pid === undefined ? "" : `; until then the Collector (pid ${pid}) runs on as it is`;
  return `the supervisor is not running: its next start does it${left}`;
}

function formatPlan({ from, to, quarantines }: RollbackPlan, { text }: Call): string {
  const why = text === "" ? "" : `: ${text}`;
  return [
    `runs now   ${describe(from)}`,
    `goes back  ${describe(to)}`,
    "",
    `${shortHash(quarantines)} is refused from then on, as "rolled back by an operator${why}".`,
  ].join("\n");
}

function formatDone({ from, to, quarantines }: RollbackPlan): string {
  return [
    `rolled back from ${describe(from)}`,
    `to               ${describe(to)}`,
    `to allow it again: opamp-supervisor quarantine clear ${shortHash(quarantines)}`,
  ].join("\n");
}

const origins: Readonly<Record<string, string>> = {
  remote: "of the server",
  local: "changed on this host",
  packages: "packages of the server",
  "remote+packages": "of the server, with packages",
};

function describe({ id, hash, cause }: RollbackPlan["from"]): string {
  const what = id === null ? ", the order to run no Collector" : "";
  return `${shortHash(hash)} (${origins[cause] ?? plain(cause)}${what})`;
}

async function confirms(): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(?:es)?$/i.test((await terminal.question("go back? [y/N] ")).trim());
  } finally {
    terminal.close();
  }
}

export const rollback: OperatorCommand = { usage, run };
