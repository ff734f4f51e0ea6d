import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Message } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import { readYaml } from "../../../foundation/collector-yaml/yaml-reader.ts";
import {
  type AgentRemoteConfig,
  AgentRemoteConfigSchema,
  type ConnectionSettingsOffers,
  ConnectionSettingsOffersSchema,
  ServerToAgentSchema,
} from "../../../opamp/messages.ts";
import { type ConfigurationInputs, Snapshots } from "../../change/snapshots.ts";
import { isSecretKey, urlSecrets } from "../../configuration/redact.ts";
import { collectSecrets } from "../../configuration/secrets.ts";
import { readSmallFile } from "../../configuration/small-file.ts";
import {
  loadMessage,
  ownTelemetryFile,
  packagesFile,
  remoteConfigFile,
  waitingRemoteFile,
} from "../../storage/message-file.ts";
import { ReadOnlyDirectory } from "../../storage/read-only-directory.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Files of JSON of which every text may be a secret. */
const secretFiles = [
  "local_link.json",
  "connection_settings.json",
  "connection_candidate.json",
  "certificate_request.json",
];

interface Places {
  directory: string;
  /** Texts of supervisor.yaml and the local configuration files. */
  texts: readonly string[];
  /** What `${env:}` reads, and of what names tell secrets. */
  environments: readonly Environment[];
}

/** Every secret that can be found on this host; what cannot be read has none. */
export async function findSecrets({ directory, texts, environments }: Places): Promise<Set<string>> {
  const secrets = new Set<string>();
  const add = (found: Iterable<string>) => {
    for (const secret of found) secrets.add(secret);
  };
  const readers = {
    env: (name: string) => environments.find((each) => each[name] !== undefined)?.[name],
    readFile: readSmallFile,
  };
  const addYaml = async (text: string) => {
    try {
      add(await collectSecrets(readYaml(text), readers));
    } catch {
      // What is no YAML is not put into the archive either.
    }
  };
  for (const environment of environments) {
    for (const [name, value = ""] of Object.entries(environment)) {
      if (isSecretKey(name, "")) secrets.add(value);
      add(urlSecrets(value));
    }
  }
  for (const text of [...texts, ...(await yamlTexts(directory))]) await addYaml(text);
  const state = new ReadOnlyDirectory(directory);
  for (const name of secretFiles) add(await secretsOfJson(state, name));
  const addOffers = (offers: ConnectionSettingsOffers | undefined) => add(secretsOfOffers(offers));
  const addRemote = async (remote: AgentRemoteConfig | undefined) => {
    for (const { body } of Object.values(remote?.config?.configMap ?? {}))
      await addYaml(new TextDecoder().decode(body));
  };
  await addRemote(await tryLoad(state, remoteConfigFile, AgentRemoteConfigSchema));
  await addRemote(await tryLoad(state, waitingRemoteFile, AgentRemoteConfigSchema));
  addOffers(await tryLoad(state, ownTelemetryFile, ConnectionSettingsOffersSchema));
  for (const inputs of await snapshotInputs(directory)) {
    await addRemote(inputs.remote);
    addOffers(inputs.ownTelemetry);
    for (const text of Object.values(inputs.localFiles)) await addYaml(text);
  }
  const packages = await tryLoad(state, packagesFile, ServerToAgentSchema);
  await addRemote(packages?.remoteConfig);
  for (const { file } of Object.values(packages?.packagesAvailable?.packages ?? {})) {
    add(urlSecrets(file?.downloadUrl ?? ""));
    add((file?.headers?.headers ?? []).map(({ value }) => value));
  }
  return secrets;
}

async function tryLoad<T extends Message>(
  state: ReadOnlyDirectory,
  name: string,
  schema: GenMessage<T>,
): Promise<T | undefined> {
  return loadMessage(state, name, schema).catch(() => undefined);
}

async function yamlTexts(directory: string): Promise<string[]> {
  const folder = join(directory, "configurations");
  const names = await readdir(folder).catch(() => []);
  const paths = [
    join(directory, "effective.yaml"),
    ...names.filter((name) => name.endsWith(".yaml")).map((name) => join(folder, name)),
  ];
  const texts = await Promise.all(paths.map((path) => readFile(path, "utf8").catch(() => "")));
  return texts.filter((text) => text !== "");
}

async function snapshotInputs(directory: string): Promise<ConfigurationInputs[]> {
  const folder = new ReadOnlyDirectory(join(directory, "configurations"));
  const snapshots = new Snapshots(folder);
  const ids = (await folder.list().catch(() => [])).flatMap((name) => /^(.+)\.json$/.exec(name)?.[1] ?? []);
  const found = await Promise.all(ids.map((id) => snapshots.loadInputs(id).catch(() => undefined)));
  return found.filter((inputs) => inputs !== undefined);
}

function* secretsOfOffers(offers: ConnectionSettingsOffers | undefined): Generator<string> {
  for (const settings of [offers?.opamp, offers?.ownMetrics, offers?.ownTraces, offers?.ownLogs]) {
    yield* urlSecrets(settings?.destinationEndpoint ?? "");
    for (const { value } of settings?.headers?.headers ?? []) yield value;
  }
}

/** Every text in it that is long enough to be one, keys of PEM line by line. */
async function secretsOfJson(state: ReadOnlyDirectory, name: string): Promise<string[]> {
  try {
    const data = await state.read(name);
    const found: string[] = [];
    JSON.parse(new TextDecoder().decode(data), (key, value: unknown) => {
      if (typeof value !== "string") return value;
      const parts = [value, ...urlSecrets(value), ...credentialOf(value)];
      if (isWorthHiding(key)) found.push(...parts);
      else found.push(...urlSecrets(value));
      return value;
    });
    return found;
  } catch {
    return [];
  }
}

/** Not what says where and when. Names of headers are keys, and their values texts of any kind. */
function isWorthHiding(key: string): boolean {
  return !/^(?:endpoint|hash|basis|outcome|reason|instance_uid|instanceUid|keyType|csr|id|minVersion|maxVersion|kind|step)$/.test(
    key,
  );
}

function credentialOf(value: string): string[] {
  const [, credential] = /^\w+\s+(\S+)$/.exec(value) ?? [];
  return credential === undefined ? [] : [credential];
}
