import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../../../foundation/clock.ts";
import { describeError } from "../../../foundation/errors.ts";
import { silentLogger } from "../../../foundation/logger.ts";
import { presentTls } from "../../../opamp/agent/settings.ts";
import { readLogTail } from "../../collector/agent-log-tail.ts";
import { listCachedBinaries } from "../../collector/binary-cache.ts";
import { localFilePaths } from "../../configuration/order.ts";
import { connectionRecordSchema } from "../../connection/connection-record.ts";
import { isSecure, sessionSettings } from "../../connection/session-settings.ts";
import type { LoadedSupervisorSettings } from "../../settings/load.ts";
import type { SupervisorSettings } from "../../settings/supervisor-settings.ts";
import { findLeftPid, readJson } from "../control/at-rest.ts";
import { findServiceUnit, readProcessEnvironment, readSupervisorPid } from "../control/service-unit.ts";
import type { ArchiveFile } from "./archive.ts";
import { testConnection } from "./connection-test.ts";
import { describeEnvironment, describeMachine, describeUnit } from "./host-facts.ts";
import { findSecrets } from "./known-secrets.ts";
import { makeMask } from "./mask-anything.ts";
import { redactYaml, reportState } from "./state-report.ts";

const logLines = 4_000;
/** Characters of a log, its end. */
const maxLog = 1024 * 1024;
/** All files together, in characters: what comes last is left out. */
const maxTotal = 16 * 1024 * 1024;
const defaultUnit = "opamp-supervisor.service";

export interface Host {
  version: string;
  /** Path of supervisor.yaml. */
  config: string;
  directory: string;
  loaded: LoadedSupervisorSettings | Error;
  /** What the supervisor answered to `GET /v1/status`, or why it did not. */
  status: string;
}

/** Everything worth knowing of a host that may be shown to others, as files. Whatever fails is said in its file. */
export async function diagnose(host: Host): Promise<ArchiveFile[]> {
  const { directory, config } = host;
  const settings = host.loaded instanceof Error ? undefined : host.loaded.settings;
  const [supervisorPid, collectorPid] = await Promise.all([
    readSupervisorPid(directory),
    findLeftPid(directory).catch(() => undefined),
  ]);
  const environments = await readEnvironments({ supervisor: supervisorPid, collector: collectorPid });
  const yaml = await readOrSay(config);
  const sources = settings === undefined ? [] : sourceFiles(settings);
  const texts = await Promise.all(sources.map(async (path) => [path, await readOrSay(path)] as const));
  const secrets = await findSecrets({
    directory,
    texts: [yaml, ...texts.map(([, text]) => text)],
    environments: [...Object.values(environments), settings?.agent.env ?? {}],
  });
  // Variables for the Collector may be secrets under any name; a short one is more likely a number or a word.
  for (const value of Object.values(settings?.agent.env ?? {})) if (value.length >= 8) secrets.add(value);
  if (!(host.loaded instanceof Error)) for (const secret of host.loaded.secrets) secrets.add(secret);
  const unit =
    (supervisorPid === undefined ? undefined : await findServiceUnit(supervisorPid)) ?? defaultUnit;
  const logs = settings?.telemetry.logs.outputPaths.filter((path) => !/^std(?:out|err)$/.test(path)) ?? [];
  const files: ArchiveFile[] = [
    { name: "versions.txt", text: await describeVersions(host) },
    { name: "status.json", text: `${host.status.trimEnd()}\n` },
    {
      name: "machine.txt",
      text: await describeMachine({ supervisor: supervisorPid, Collector: collectorPid }, [
        directory,
        "/tmp",
      ]),
    },
    { name: "systemd.txt", text: await describeUnit(unit) },
    { name: "connection.txt", text: await describeConnection(host, settings) },
    ...Object.entries(environments).map(([name, environment]) => ({
      name: `environment/${name}.txt`,
      text: describeEnvironment(environment),
    })),
    { name: "supervisor.yaml.txt", text: redactYaml(yaml, ["agent", "env"]) },
    { name: "supervisor.yaml.problems.txt", text: describeLoaded(host.loaded) },
    ...texts.map(([path, text], index) => ({
      name: `local/${index}.yaml.txt`,
      text: `# ${path}\n${redactYaml(text)}`,
    })),
    ...(await reportState(directory).catch((error: unknown) => [
      { name: "state/LISTING.txt", text: `cannot be read: ${describeError(error)}\n` },
    ])),
    ...(await readLogs({ "agent.log": join(directory, "agent.log") })),
    ...(await readLogs(Object.fromEntries(logs.map((path, index) => [`supervisor-${index}.log`, path])))),
  ];
  return bounded(files, makeMask(secrets));
}

function bounded(files: readonly ArchiveFile[], mask: (text: string) => string): ArchiveFile[] {
  let left = maxTotal;
  return files.flatMap(({ name, text }) => {
    if (text.length > left) return [{ name, text: "left out: the archive would be too large\n" }];
    left -= text.length;
    return [{ name: mask(name), text: mask(text) }];
  });
}

async function readEnvironments(pids: Readonly<Record<string, number | undefined>>) {
  const environments: Record<string, Readonly<Record<string, string | undefined>>> = {
    "this-shell": process.env,
  };
  for (const [name, pid] of Object.entries(pids)) {
    const found = pid === undefined ? undefined : await readProcessEnvironment(pid);
    if (found !== undefined) environments[name] = found;
  }
  return environments;
}

/** Local configuration files, and what the supervisor falls back to. */
function sourceFiles({ agent }: SupervisorSettings): string[] {
  return [...localFilePaths(agent.configFiles), ...agent.startupFallbackConfigs];
}

function readOrSay(path: string): Promise<string> {
  return readFile(path, "utf8").catch((error: unknown) => `# cannot be read: ${describeError(error)}\n`);
}

function describeLoaded(loaded: Host["loaded"]): string {
  if (loaded instanceof Error) return `${loaded.message}\n`;
  return loaded.warnings.length === 0 ? "none\n" : `${loaded.warnings.join("\n")}\n`;
}

async function describeVersions({ version, directory }: Host): Promise<string> {
  const binaries = await listCachedBinaries(join(directory, "binary.json"));
  const collectors = binaries.map(({ path, command, version: of, components }) => {
    const parts = Object.entries(components).map(([kind, list]) => {
      return `  ${kind}: ${list.map(({ name }) => name).join(", ")}`;
    });
    return [`Collector ${command} ${of} at ${path}`, ...parts].join("\n");
  });
  return [
    `opamp-supervisor ${version}`,
    `Node.js ${process.version}, OpenSSL ${process.versions.openssl}`,
    ...(collectors.length === 0 ? ["no Collector was identified on this host yet"] : collectors),
    "",
  ].join("\n");
}

async function describeConnection(
  { directory }: Host,
  settings: SupervisorSettings | undefined,
): Promise<string> {
  if (settings === undefined) return "not tried: supervisor.yaml cannot be read as it is\n";
  const { server } = settings;
  const make = () => sessionSettings(settings, { clock: systemClock, logger: silentLogger, mayWait: true });
  const own = new URL(server.endpoint);
  const sections = [["server.endpoint of supervisor.yaml", {}] as const];
  const record = await readJson(directory, "connection_settings.json", connectionRecordSchema).catch(
    () => undefined,
  );
  const kept = record?.kept?.basis === server.digest ? record.kept.overrides : undefined;
  const targets = [
    ...sections,
    ...(kept === undefined ? [] : [["settings that the server offered", kept] as const]),
  ];
  const proxies = ["HTTP_PROXY", "HTTPS_PROXY"].flatMap(
    (name) => process.env[name] ?? process.env[name.toLowerCase()] ?? [],
  );
  const notes = [...proxies, ...(kept?.proxy === undefined ? [] : [kept.proxy])].map(
    () => "a proxy is set; this test goes straight to the server",
  );
  const parts = targets.map(async ([what, overrides]) => {
    try {
      const session = make()(overrides);
      const { endpoint } = session;
      const tls = isSecure(endpoint) ? presentTls(session) : undefined;
      const lines = await testConnection({ endpoint, tls });
      return [`== ${what}`, ...lines].join("\n");
    } catch (error) {
      return `== ${what}\n${own.protocol}//${own.host}${own.pathname}\nFAILED: ${describeError(error)}`;
    }
  });
  return `${[...new Set(notes), ...(await Promise.all(parts))].join("\n")}\n`;
}

async function readLogs(paths: Readonly<Record<string, string>>): Promise<ArchiveFile[]> {
  const files = Object.entries(paths).map(async ([name, path]) => {
    const text = await readLogTail(path, logLines).then(
      ({ lines }) => `${lines.join("\n")}\n`.slice(-maxLog),
      (error: unknown) => `${path} cannot be read: ${describeError(error)}\n`,
    );
    return { name: `logs/${name}`, text };
  });
  return Promise.all(files);
}
