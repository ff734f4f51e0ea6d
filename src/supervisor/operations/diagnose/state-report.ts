import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { mapAt, withValue } from "../../../foundation/collector-yaml/tree.ts";
import { readYaml } from "../../../foundation/collector-yaml/yaml-reader.ts";
import { writeYaml } from "../../../foundation/collector-yaml/yaml-writer.ts";
import { describeError } from "../../../foundation/errors.ts";
import { toHex } from "../../../foundation/hex.ts";
import {
  type AgentRemoteConfig,
  AgentRemoteConfigSchema,
  type ConnectionSettingsOffers,
  ConnectionSettingsOffersSchema,
  ServerToAgentSchema,
} from "../../../opamp/messages.ts";
import { Snapshots } from "../../change/snapshots.ts";
import { isSecretKey, redact, redacted } from "../../configuration/redact.ts";
import {
  loadMessage,
  ownTelemetryFile,
  packagesFile,
  remoteConfigFile,
  waitingRemoteFile,
} from "../../storage/message-file.ts";
import { ReadOnlyDirectory } from "../../storage/read-only-directory.ts";
import type { ArchiveFile } from "./archive.ts";

/** Longer texts are cut. Characters. */
const maxText = 512 * 1024;
const maxListed = 1_000;

/** Of the files that hold secrets, what may be shown; everything else in them is hidden. */
const shownOfSecretFiles =
  /^(?:endpoint|hash|basis|outcome|ownFault|reason|at|instance_uid|instanceUid|keyType|csr|id|port|heartbeatSeconds|minVersion|maxVersion|insecureSkipVerify|includeSystemCas|kind|step|attempt|how|fault)$/;
const secretFiles =
  /^(?:local_link|connection_settings|connection_candidate|connection_journal|certificate_request)\.json$/;

/**
 * The text of a YAML configuration without comments and secrets, and without the values of the map at `hidden`; what is
 * no YAML is not shown at all.
 */
export function redactYaml(text: string, hidden: readonly string[] = []): string {
  try {
    const tree = readYaml(text);
    const names = Object.keys(mapAt(tree, hidden)).map((name): [string, string] => [name, redacted]);
    const shown =
      hidden.length > 0 && names.length > 0 ? withValue(tree, hidden, Object.fromEntries(names)) : tree;
    return clip(writeYaml(redact(shown)));
  } catch (error) {
    return `not shown, for it is no valid YAML: ${describeError(error)}\n`;
  }
}

/** What is in the state directory, as far as it may be shown: every file is listed, and those that are known are read. */
export async function reportState(directory: string): Promise<ArchiveFile[]> {
  const files: ArchiveFile[] = [{ name: "state/LISTING.txt", text: await list(directory) }];
  const state = new ReadOnlyDirectory(directory);
  for (const name of (await state.list().catch((): string[] => [])).sort()) {
    const text = await read(state, name).catch(
      (error: unknown) => `cannot be read: ${describeError(error)}\n`,
    );
    if (text !== undefined) files.push({ name: `state/${name}.txt`, text });
  }
  return [...files, ...(await reportSnapshots(join(directory, "configurations")))];
}

async function read(state: ReadOnlyDirectory, name: string): Promise<string | undefined> {
  switch (name) {
    case "effective.yaml":
      return redactYaml(await readText(state, name));
    case "persistent_state.yaml":
    case "supervisor.pid":
      return clip(await readText(state, name));
    case remoteConfigFile:
    case waitingRemoteFile:
      return json(describeRemote(await loadMessage(state, name, AgentRemoteConfigSchema)));
    case ownTelemetryFile:
      return json(describeOffers(await loadMessage(state, name, ConnectionSettingsOffersSchema)));
    case packagesFile:
      return json(await describePackages(state));
    default:
      if (!name.endsWith(".json")) return undefined;
      return json(redactJson(JSON.parse(await readText(state, name)), "", secretFiles.test(name)));
  }
}

async function reportSnapshots(folder: string): Promise<ArchiveFile[]> {
  const state = new ReadOnlyDirectory(folder);
  const snapshots = new Snapshots(state);
  const files: ArchiveFile[] = [];
  for (const name of (await state.list().catch((): string[] => [])).sort()) {
    const [, id = "", kind] = /^([0-9a-f]+)\.(yaml|json)$/.exec(name) ?? [];
    const describe = async () => {
      if (kind === "yaml") return redactYaml(await readText(state, name));
      const inputs = await snapshots.loadInputs(id);
      if (inputs === undefined) return "damaged\n";
      const { remote, ownTelemetry, localFiles, packages } = inputs;
      const local = Object.entries(localFiles).map(([path, text]) => [path, redactYaml(text)]);
      return json({
        remote: describeRemote(remote),
        own_telemetry: describeOffers(ownTelemetry),
        local_files: Object.fromEntries(local),
        packages,
      });
    };
    if (kind === undefined) continue;
    const text = await describe().catch((error: unknown) => `cannot be read: ${describeError(error)}\n`);
    files.push({ name: `state/configurations/${name}.txt`, text });
  }
  return files;
}

function describeRemote(remote: AgentRemoteConfig | undefined): object | null {
  if (remote === undefined) return null;
  const entries = Object.entries(remote.config?.configMap ?? {}).map(([name, { body, contentType }]) => [
    name,
    { content_type: contentType, body: redactYaml(new TextDecoder().decode(body)) },
  ]);
  return { config_hash: toHex(remote.configHash), entries: Object.fromEntries(entries) };
}

function describeOffers(offers: ConnectionSettingsOffers | undefined): object | null {
  if (offers === undefined) return null;
  const { hash, ownMetrics, ownTraces, ownLogs } = offers;
  const describe = (settings: typeof ownMetrics) =>
    settings && {
      endpoint: settings.destinationEndpoint,
      headers: (settings.headers?.headers ?? []).map(({ key }) => ({ name: key, value: redacted })),
    };
  const [metrics, traces, logs] = [ownMetrics, ownTraces, ownLogs].map(describe);
  return { hash: toHex(hash), metrics, traces, logs };
}

async function describePackages(state: ReadOnlyDirectory): Promise<object | null> {
  const message = await loadMessage(state, packagesFile, ServerToAgentSchema);
  if (message === undefined) return null;
  const packages = Object.entries(message.packagesAvailable?.packages ?? {}).map(([name, each]) => {
    const { version, file } = each;
    const names = (file?.headers?.headers ?? []).map(({ key }) => key);
    return { name, version, url: file?.downloadUrl, headers: names };
  });
  return { packages, with: describeRemote(message.remoteConfig) };
}

/** With `secret`, only what is known to be harmless is shown. */
function redactJson(value: unknown, key: string, secret = false): unknown {
  if (Array.isArray(value)) return value.map((item) => redactJson(item, key, secret));
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [
        name,
        isSecretKey(name, key) && typeof item === "string" ? redacted : redactJson(item, name, secret),
      ]),
    );
  }
  return secret && typeof value === "string" && !shownOfSecretFiles.test(key) ? redacted : value;
}

async function readText(state: ReadOnlyDirectory, name: string): Promise<string> {
  return new TextDecoder().decode(await state.read(name));
}

async function list(directory: string): Promise<string> {
  const describe = async (folder: string, depth: number): Promise<string[]> => {
    const names = await readdir(join(directory, folder)).catch((error: unknown) => [
      `(${folder || "."}: ${describeError(error)})`,
    ]);
    const lines: string[] = [];
    for (const name of names.sort().slice(0, maxListed)) {
      const path = join(folder, name);
      const found = await lstat(join(directory, path)).catch(() => undefined);
      if (found === undefined) {
        lines.push(name.startsWith("(") ? name : `?  ${path}`);
        continue;
      }
      const mode = (found.mode & 0o7777).toString(8).padStart(4, "0");
      const { uid, gid, size, mtime } = found;
      lines.push(`${mode} ${uid}:${gid} ${String(size).padStart(11)} ${mtime.toISOString()} ${path}`);
      if (found.isDirectory() && depth < 4) lines.push(...(await describe(path, depth + 1)));
    }
    return lines;
  };
  return `${directory}\n${(await describe("", 0)).slice(0, maxListed).join("\n")}\n`;
}

const json = (value: unknown) => clip(`${JSON.stringify(value, undefined, 2)}\n`);
const clip = (text: string) => (text.length > maxText ? `${text.slice(0, maxText)}\n(cut)\n` : text);
