import type { Value } from "../foundation/collector-yaml/tree.ts";
import { quietName } from "../supervisor/change/composition-input.ts";
import type { Origin } from "../supervisor/configuration/origin.ts";
import { readBookAtRest } from "../supervisor/operations/control/at-rest.ts";
import { askSupervisor } from "../supervisor/operations/control/client.ts";
import { readSupervisorEnvironment } from "../supervisor/operations/control/service-unit.ts";
import { makeStatusSchema } from "../supervisor/operations/control/status-view.ts";
import { findEffective } from "../supervisor/operations/explain/effective-at-rest.ts";
import type {
  EffectiveConfiguration,
  Explained,
  Explanation,
} from "../supervisor/operations/explain/effective-configuration.ts";
import {
  findOffers,
  type LastOffer,
  type OfferAccount,
} from "../supervisor/operations/explain/offers-at-rest.ts";
import { loadSupervisorSettings } from "../supervisor/settings/load.ts";
import { exitCode, UsageError } from "./command-line.ts";
import {
  type OperatorCommand,
  parseOperatorOptions,
  stateDirectoryOf,
  tellFailure,
} from "./operator-command.ts";
import { formatTime, plain, shortHash } from "./plain-text.ts";
import { formatLines } from "./status-text.ts";

const answerTimeoutMs = 5_000;

const usage = `Usage: opamp-supervisor explain [KEY.PATH] --config FILE [--json]
       opamp-supervisor explain --offer [HASH] --config FILE [--json]

Says where the parts of the Collector's effective configuration come from: an entry of the remote configuration, a
local file, own telemetry that the server asked for, what the supervisor itself puts in, a startup fallback. It merges
what the configuration was made from once more, with the supervisor's own code, and works when that is down.

  KEY.PATH       one key, or everything below it, with what was overridden: exporters.otlp.endpoint
  --offer        what became of the server's last offer, or the one whose hash begins with HASH: why it was refused,
                 in the Collector's own words, and what runs instead

Options:
  --config FILE  settings of the supervisor; variables in it are those of the supervisor where it runs
  --json         print JSON
  --help         print this text

Values that sound like secrets are not shown.

Exit codes: 0 explained, 1 there is no such key or offer, or what is needed cannot be read, 2 bad usage or bad settings
`;

async function run(args: readonly string[]): Promise<number> {
  const { config, positionals, has } = parseOperatorOptions(args, ["offer", "json"]);
  const [subject, ...rest] = positionals;
  if (rest.length > 0) throw new UsageError(`unexpected "${rest.join(" ")}"`);
  const directory = stateDirectoryOf(config);
  try {
    if (has("offer")) return await explainOffer(directory, subject, has("json"));
    const env = await readSupervisorEnvironment(directory);
    const { settings } = loadSupervisorSettings(config, { checkOnly: true, ...(env && { env }) });
    const { effective, reference } = await findEffective(settings);
    const context = { role: reference.role, json: has("json") };
    return subject === undefined ? tellParts(effective, context) : tellKey(effective, subject, context);
  } catch (error) {
    return tellFailure(error);
  }
}

interface Context {
  role: string;
  json: boolean;
}

function tellParts(effective: EffectiveConfiguration, { role, json }: Context): number {
  const { parts } = effective;
  if (json) {
    print({ role, up_to_date: effective.isUpToDate, parts: parts.map(toJson) });
    return exitCode.ok;
  }
  write([
    ...formatLines(parts.map((part) => [plain(part.key), describeOrigins(part, role)])),
    ...notes(effective),
  ]);
  return exitCode.ok;
}

function tellKey(effective: EffectiveConfiguration, key: string, { role, json }: Context): number {
  const found = effective.explain(key);
  if (found === undefined) {
    const elsewhere = effective.saidElsewhere(key).map((origin) => describe(origin, role));
    const hint =
      elsewhere.length === 0
        ? ""
        : `; ${elsewhere.join(" and ")} has it, and a later source replaced what it is in`;
    throw new Error(`there is no ${key} in the effective configuration${hint}`);
  }
  if (json) print({ role, up_to_date: effective.isUpToDate, keys: found.map(toJson) });
  else write([found.map((each) => formatKey(each, role)).join("\n\n"), ...notes(effective)]);
  return exitCode.ok;
}

function toJson({ key, value, origins, overridden, environment, outdated }: Explained) {
  return { key, ...(value !== undefined && { value }), origins, overridden, environment, outdated };
}

function formatKey(explained: Explained, role: string): string {
  const { key, value, overridden, environment } = explained;
  return [
    `${plain(key)}${value === undefined ? "" : ` = ${show(value)}`}`,
    `  from       ${describeOrigins(explained, role)}`,
    ...overridden
      .toReversed()
      .map((each) => `  overrides  ${show(each.value)} of ${describe(each.origin, role)}`),
    ...environment.map((name) => `  uses       \${env:${plain(name)}}${describeVariable(name)}`),
  ].join("\n");
}

function describeVariable(name: string): string {
  return name === "OPAMP_PACKAGES"
    ? ", where the server's packages are on this host"
    : ", from the Collector's environment";
}

function describeOrigins({ origins, outdated }: Explained, role: string): string {
  const names = origins.map((origin) => describe(origin, role)).join(", ");
  return outdated ? `${names}, which says something else by now` : names;
}

function describe(origin: Explanation, role: string): string {
  switch (origin.t) {
    case "remote":
      return origin.entry === ""
        ? "the remote configuration"
        : `the remote configuration, entry ${JSON.stringify(plain(origin.entry))}`;
    case "file":
      return describeFile(origin, role);
    case "own-telemetry":
      return "own telemetry, as the server asked for";
    case "telemetry-defaults":
      return "this supervisor (defaults of own telemetry)";
    case "opamp-extension":
      return "this supervisor (its opamp extension)";
    case "supervisor":
      return "this supervisor (needed in any case)";
  }
}

function describeFile({ path }: Origin & { t: "file" }, role: string): string {
  if (path === quietName) return "this supervisor (empty bootstrap configuration)";
  return role === "fallback" ? `startup fallback ${plain(path)}` : `local file ${plain(path)}`;
}

function notes(effective: EffectiveConfiguration): string[] {
  if (effective.isUpToDate) return [];
  return [
    "",
    "Since this configuration was made, supervisor.yaml, a fallback or the Collector has changed: its sources do not give",
    "all of it any more. The supervisor merges them anew at its next start.",
  ];
}

async function explainOffer(directory: string, wanted: string | undefined, json: boolean): Promise<number> {
  const offers = await findOffers(directory, await askLastOffer(directory));
  const found =
    wanted === undefined
      ? offers.accounts.slice(0, 1)
      : offers.accounts.filter(({ hash }) => isMeant(hash, wanted.toLowerCase()));
  const [account, ...others] = found;
  if (account === undefined) {
    const known = offers.accounts.map(({ hash }) => shortHash(hash)).join(", ");
    throw new Error(
      wanted === undefined
        ? "the server has offered nothing that this host has tried"
        : `nothing is known of ${wanted}${known === "" ? "" : `; known: ${known}`}`,
    );
  }
  if (others.length > 0 && wanted !== undefined) {
    throw new Error(`${wanted} is the beginning of ${found.map(({ hash }) => hash).join(", ")}`);
  }
  const { runs, underWay } = offers;
  if (json)
    print({ ...account, at: account.at && new Date(account.at).toISOString(), runs, under_way: underWay });
  else write([formatOffer(account, await describeRunning(directory, account), underWay)]);
  return exitCode.ok;
}

function isMeant(hash: string, wanted: string): boolean {
  return hash
    .split("+")
    .some((part) => part.startsWith(wanted) || part.replace(/^[a-z]+:/, "").startsWith(wanted));
}

/** What is under way is on no disk. */
async function askLastOffer(directory: string): Promise<LastOffer | undefined> {
  const question = { method: "GET", path: "/v1/status", timeoutMs: answerTimeoutMs } as const;
  const reply = await askSupervisor(directory, question);
  if (reply.t !== "answered" || reply.status !== 200) return undefined;
  return makeStatusSchema().parse(JSON.parse(reply.text)).remote_config;
}

function formatOffer(account: OfferAccount, runs: string, underWay: string | null): string {
  const { what, hash, status, reason, at, quarantined } = account;
  const lines: [string, string][] = [
    ["Offer", `${what} ${shortHash(hash)}`],
    ["Status", status],
  ];
  const [first, ...words] = reason === null ? [] : reason.split("\n").map(plain);
  if (first !== undefined) lines.push(["Why", first], ...words.map((line): [string, string] => ["", line]));
  if (at !== null) lines.push(["Since", formatTime(new Date(at).toISOString(), Date.now())]);
  if (quarantined) {
    const clear = `opamp-supervisor quarantine clear ${shortHash(hash)}`;
    lines.push(["Quarantine", `it is not tried again until the server offers something else, or: ${clear}`]);
  }
  if (underWay !== null) lines.push(["Change", `under way: ${underWay}`]);
  lines.push(["Runs now", runs]);
  return formatLines(lines).join("\n");
}

async function describeRunning(directory: string, account: OfferAccount): Promise<string> {
  const { current } = await readBookAtRest(directory);
  if (current === null) return "nothing that ever came to run here";
  if (current.id === null) return "no Collector, as the server ordered by an empty configuration";
  const hash = current.remoteHash ?? current.contentHash;
  if (hash === account.hash) return "this one";
  const whose = current.remoteHash === null ? "of this host" : "of the server";
  return `${current.role}, ${shortHash(hash)} ${whose}`;
}

function show(value: Value): string {
  return plain(JSON.stringify(value, replacer));
}

/** Integers of a configuration are of a kind that JSON has not. */
function replacer(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? Number(value) : value;
}

function print(value: object): void {
  process.stdout.write(`${JSON.stringify(value, replacer, 2)}\n`);
}

function write(lines: readonly string[]): void {
  process.stdout.write(`${lines.join("\n")}\n`);
}

export const explain: OperatorCommand = { usage, run };
