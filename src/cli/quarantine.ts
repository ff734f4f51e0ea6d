import { clearQuarantineAtRest, readBookAtRest } from "../supervisor/operations/control/at-rest.ts";
import {
  makeQuarantineClearedSchema,
  type QuarantineCleared,
} from "../supervisor/operations/control/quarantine-clear.ts";
import {
  listQuarantine,
  makeQuarantineListSchema,
  type QuarantineList,
} from "../supervisor/operations/control/quarantine-list.ts";
import type { Selection } from "../supervisor/operations/control/select-quarantined.ts";
import { askIfRunning, sayThatItWaits } from "./ask-supervisor.ts";
import { exitCode, UsageError } from "./command-line.ts";
import {
  type OperatorCommand,
  parseOperatorOptions,
  stateDirectoryOf,
  tellFailure,
} from "./operator-command.ts";
import { plain, plainLine, shortHash } from "./plain-text.ts";

const listTimeoutMs = 5_000;
/** A change under way is waited for, and its proof and the way back may take minutes. */
const clearTimeoutMs = 15 * 60_000;

const usage = `Usage: opamp-supervisor quarantine list --config FILE [--json]
       opamp-supervisor quarantine clear HASH --config FILE
       opamp-supervisor quarantine clear --all --config FILE

What failed on this host by its own fault is quarantined: it is refused without being tried again, also after a
restart, until it is cleared here.

  list   what is quarantined, since when and why
  clear  let it be tried again. HASH may be its first digits, 6 or more. What this host has itself (local files)
         is tried at once; the server is shown that its last offer is untried, so that it offers it again

Options:
  --config FILE  settings of the supervisor; only storage.directory is read
  --json         print JSON
  --all          clear everything
  --help         print this text

Both work on the files when the supervisor is not running.

Exit codes: 0 done, 1 it could not be done (nothing of that name, not clear which, no answer), 2 bad usage or bad settings
`;

async function run(args: readonly string[]): Promise<number> {
  const { config, positionals, has } = parseOperatorOptions(args, ["json", "all"]);
  const [action, hash, ...rest] = positionals;
  if (rest.length > 0) throw new UsageError(`unexpected "${rest.join(" ")}"`);
  const perform = choose(action, hash, { all: has("all"), json: has("json") });
  const directory = stateDirectoryOf(config);
  try {
    process.stdout.write(`${await perform(directory)}\n`);
    return exitCode.ok;
  } catch (error) {
    return tellFailure(error);
  }
}

/** @throws UsageError */
function choose(
  action: string | undefined,
  hash: string | undefined,
  { all, json }: { all: boolean; json: boolean },
): (directory: string) => Promise<string> {
  if (action === "list") {
    if (hash !== undefined || all) throw new UsageError("quarantine list takes no HASH and no --all");
    return (directory) => list(directory, json);
  }
  if (action === "clear") {
    if (json) throw new UsageError("quarantine clear has no --json");
    if ((hash === undefined) !== all) throw new UsageError("quarantine clear takes a HASH or --all");
    const selection: Selection = hash === undefined ? { t: "all" } : { t: "hash", hash };
    return (directory) => clear(directory, selection);
  }
  throw new UsageError(`expected quarantine list or quarantine clear${action ? `, not "${action}"` : ""}`);
}

async function list(directory: string, json: boolean): Promise<string> {
  const question = { method: "GET", path: "/v1/quarantine", timeoutMs: listTimeoutMs } as const;
  const found =
    (await askIfRunning(directory, question, makeQuarantineListSchema())) ??
    listQuarantine((await readBookAtRest(directory)).quarantined);
  return json ? JSON.stringify(found, undefined, 2) : formatList(found);
}

function formatList({ quarantined }: QuarantineList): string {
  if (quarantined.length === 0) return "nothing is quarantined";
  const short = quarantined.map(({ hash }) => shortHash(hash));
  const rows = quarantined.map(({ hash, at, reason }, index) => {
    const shown = short[index] ?? "";
    const isUnique = short.indexOf(shown) === short.lastIndexOf(shown);
    return [
      isUnique ? shown : plain(hash),
      `${at.slice(0, 19).replace("T", " ")}Z`,
      plainLine(reason),
    ] as const;
  });
  const width = Math.max(...rows.map(([hash]) => hash.length), "HASH".length);
  return [["HASH", "FAILED AT           ", "WHY"] as const, ...rows]
    .map(([hash, at, why]) => `${hash.padEnd(width)}  ${at}  ${why}`)
    .join("\n");
}

async function clear(directory: string, selection: Selection): Promise<string> {
  const path =
    selection.t === "all" ? "/v1/quarantine" : `/v1/quarantine/${encodeURIComponent(selection.hash)}`;
  const question = { method: "DELETE", path, timeoutMs: clearTimeoutMs, onWait: sayThatItWaits } as const;
  const answer = await askIfRunning(directory, question, makeQuarantineClearedSchema());
  if (answer !== undefined) return formatCleared(answer);
  const cleared = await clearQuarantineAtRest(directory, selection);
  return cleared.length === 0
    ? "nothing is quarantined"
    : `${formatHashes(cleared)}\nthe next start counts it as untried`;
}

function formatCleared({ cleared, next }: QuarantineCleared): string {
  if (cleared.length === 0) return "nothing is quarantined";
  const then = [
    ...(next.includes("asked-server") ? ["the server is shown that its last offer is untried"] : []),
    ...(next.includes("retrying") ? ["what this host has of it is tried again now"] : []),
  ];
  return [formatHashes(cleared), ...(then.length > 0 ? then : ["it is tried when it is offered again"])].join(
    "\n",
  );
}

function formatHashes(hashes: readonly string[]): string {
  return hashes.map((hash) => `cleared ${shortHash(hash)}`).join("\n");
}

export const quarantine: OperatorCommand = { usage, run };
