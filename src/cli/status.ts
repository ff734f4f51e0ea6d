import { styleText } from "node:util";
import { describeError } from "../foundation/errors.ts";
import { SettingsError } from "../foundation/settings-file/settings-error.ts";
import { findLeftPid, readBookAtRest } from "../supervisor/operations/control/at-rest.ts";
import { askSupervisor } from "../supervisor/operations/control/client.ts";
import { makeStatusSchema } from "../supervisor/operations/control/status-view.ts";
import { UsageError } from "./command-line.ts";
import {
  forbiddenMessage,
  type OperatorCommand,
  parseOperatorOptions,
  stateDirectoryOf,
} from "./operator-command.ts";
import { plain, shortHash } from "./plain-text.ts";
import { describeQuarantined, formatLines, formatStatus, type Paint } from "./status-text.ts";

/** As plugins of monitoring systems exit: 3 is "unknown". */
const statusExit = { healthy: 0, degraded: 1, notRunning: 2, unknown: 3 } as const;

const answerTimeoutMs = 5_000;

const usage = `Usage: opamp-supervisor status --config FILE [--json]

Says how this host is: the supervisor, its Collector, and what configuration runs. The first line is the verdict.

Options:
  --config FILE  settings of the supervisor; only storage.directory is read
  --json         print JSON, as the supervisor's control socket gives it
  --help         print this text

It asks the supervisor on STORAGE_DIRECTORY/control.sock, which only its user and root may. So can you:
  curl --unix-socket STORAGE_DIRECTORY/control.sock http://localhost/v1/status

Exit codes:
  0  healthy: the Collector is well and runs what is desired, or is stopped because the server said so.
     A server that is away does not count against that
  1  degraded: the Collector is not well, something else than the desired configuration runs, the server's last
     configuration failed, or the supervisor gives no answer
  2  the supervisor is not running
  3  it cannot be told: bad usage, bad settings, or not allowed to ask
`;

async function run(args: readonly string[]): Promise<number> {
  try {
    const { config, positionals, has } = parseOperatorOptions(args, ["json"]);
    if (positionals.length > 0)
      throw new UsageError(`status takes no argument, got "${positionals.join(" ")}"`);
    return await tell(stateDirectoryOf(config), has("json"));
  } catch (error) {
    const hint = error instanceof UsageError ? "\nTry opamp-supervisor status --help" : "";
    const name = error instanceof SettingsError ? "" : "opamp-supervisor: ";
    process.stderr.write(`${name}${describeError(error)}${hint}\n`);
    return statusExit.unknown;
  }
}

async function tell(directory: string, json: boolean): Promise<number> {
  const reply = await askSupervisor(directory, {
    method: "GET",
    path: "/v1/status",
    timeoutMs: answerTimeoutMs,
  });
  switch (reply.t) {
    case "forbidden":
      throw new Error(forbiddenMessage(directory));
    case "not-running":
      await tellAtRest(directory, json);
      return statusExit.notRunning;
    case "silent":
      tellSilent(directory, reply.why, json);
      return statusExit.degraded;
    case "answered": {
      if (reply.status !== 200) throw new Error(`the supervisor cannot say: ${plain(reply.text)}`);
      const status = makeStatusSchema().parse(JSON.parse(reply.text));
      print(json ? reply.text.trimEnd() : formatStatus(status, { paint, now: Date.now() }));
      return status.verdict === "healthy" ? statusExit.healthy : statusExit.degraded;
    }
  }
}

function tellSilent(directory: string, why: string, json: boolean): void {
  const reason = `the supervisor of ${directory} runs but gives no answer: ${why}`;
  if (json) print(JSON.stringify({ verdict: "degraded", reasons: [reason] }, undefined, 2));
  else print(`${paint("yellow", "DEGRADED")}  ${plain(reason)}`);
}

/** What the files say, and that the Collector may run on without its supervisor. */
async function tellAtRest(directory: string, json: boolean): Promise<void> {
  const { current, quarantined } = await readBookAtRest(directory);
  const pid = await findLeftPid(directory);
  const reason = `no supervisor uses ${directory}`;
  if (json) {
    const { role = "none", remoteHash = null } = current ?? {};
    const facts = {
      verdict: "not-running",
      reasons: [reason],
      collector: { pid: pid ?? null },
      configuration: { role: current?.id === null ? "stopped" : role, remote_hash: remoteHash },
      quarantined: quarantined.length,
    };
    print(JSON.stringify(facts, undefined, 2));
    return;
  }
  const role = current === null ? "none" : current.id === null ? "stopped" : current.role;
  const hash = current?.remoteHash ?? current?.contentHash;
  const lines = formatLines([
    ["Collector", pid === undefined ? "does not run" : `runs on without it, pid ${pid}`],
    ["Configuration", hash ? `${role}, ${shortHash(hash)}` : role],
    ["Quarantine", describeQuarantined(quarantined.length)],
  ]);
  print([`${paint("red", "NOT RUNNING")}  ${plain(reason)}`, "", ...lines].join("\n"));
}

/** Colours on a terminal only, and not with NO_COLOR. */
const paint: Paint = (colour, text) => styleText(["bold", colour], text, { stream: process.stdout });

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export const status: OperatorCommand = { usage, run };
