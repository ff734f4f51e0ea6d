import { chown, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AgentRemoteConfigSchema, ConnectionSettingsOffersSchema } from "../../opamp/messages.ts";
import { noPipelinesOf, toCompositionInput } from "../change/composition-input.ts";
import { type BookContent, hasWorked } from "../change/configuration-book.ts";
import { collectorEnvironment } from "../change/make-workshop.ts";
import { type ConfigurationInputs, pemName, Snapshots } from "../change/snapshots.ts";
import { identifyBinary } from "../collector/binary.ts";
import { findCollectorUser } from "../collector/examine.ts";
import { type Validation, validateConfiguration } from "../collector/validate.ts";
import { compose, readLocalFiles } from "../configuration/compose.ts";
import { checkRestrictions } from "../configuration/restrictions.ts";
import { collectSecrets, SecretMasker } from "../configuration/secrets.ts";
import { readSmallFile } from "../configuration/small-file.ts";
import { describeAgent } from "../report/agent-description.ts";
import type { LoadedSupervisorSettings } from "../settings/load.ts";
import { loadMessage, ownTelemetryFile, remoteConfigFile } from "../storage/message-file.ts";
import { ReadOnlyDirectory } from "../storage/read-only-directory.ts";
import { readBookAtRest } from "./control/at-rest.ts";

const validateTimeoutMs = 10_000;
/** Any will do: nothing dials it. */
const someLink = {
  instanceUid: "00000000-0000-7000-8000-000000000000",
  port: 4320,
  token: "none",
  mark: "0",
};

/** What the Collector says of the configuration that these settings lead to. Secrets are masked. */
export interface CheckedConfiguration {
  validation: Validation;
  /** Local files that were left out, and restrictions that the remote configuration breaks. */
  problems: string[];
  /** Whether a remote configuration that was kept here is in it. */
  withRemote: boolean;
}

/**
 * Merges what a start would merge now, the remote configuration that was kept last and the local files as they are,
 * and has the Collector's binary validate that. Nothing of the supervisor's is written.
 * @throws an Error for people when there is nothing that it could be done with
 */
export async function checkWithCollector(
  { settings, secrets }: LoadedSupervisorSettings,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<CheckedConfiguration> {
  const { agent } = settings;
  const inputs = await presentInputs(settings.storage.directory, agent.configFiles);
  if (agent.executable === undefined || inputs.packages !== null) {
    throw new Error(
      "the Collector of this host is a package of the server, which checks itself when it is offered",
    );
  }
  const { executable } = agent;
  const env = collectorEnvironment(settings, environment);
  const runAs = await findCollectorUser(agent.runAs);
  const folder = await mkdtemp(join(tmpdir(), "opamp-validate-"));
  try {
    if (runAs !== undefined) await chown(folder, runAs.uid, runAs.gid);
    const cachePath = join(folder, "binary.json");
    const binary = await identifyBinary({
      executable,
      env,
      timeoutMs: agent.bootstrapTimeoutMs,
      cachePath,
      runAs,
    });
    if (!binary.identified)
      return { validation: { verdict: "undecided", reason: binary.reason }, problems: [], withRemote: false };
    const { identifying, nonIdentifying } = describeAgent({
      instanceId: someLink.instanceUid,
      serviceName: binary.command,
      serviceVersion: binary.version,
      overrides: agent.description,
    });
    const extension = {
      ...someLink,
      reportsAvailableComponents: settings.capabilities.reportsAvailableComponents,
    };
    const attributes = { ...identifying, ...nonIdentifying };
    const noPipelines = noPipelinesOf(binary);
    const pemPath = (pem: string) => join(settings.storage.directory, "configurations", pemName(pem));
    const composition = compose(
      toCompositionInput(inputs, { settings, extension, attributes, noPipelines, pemPath }),
    );
    const readers = { env: (name: string) => env[name], readFile: readSmallFile };
    const masker = new SecretMasker([...secrets, ...(await collectSecrets(composition.tree, readers))]);
    const configPath = join(folder, "effective.yaml");
    await writeFile(configPath, composition.text, { mode: 0o600 });
    if (runAs !== undefined) await chown(configPath, runAs.uid, runAs.gid);
    const validation = await validateConfiguration({
      executable,
      configPath,
      args: agent.args,
      featureGates: noPipelines === "gate" ? ["service.AllowNoPipelines"] : [],
      env,
      timeoutMs: validateTimeoutMs,
      runAs,
    });
    const left = composition.warnings.map(
      ({ file, problem }) => `local file ${file} is left out: ${problem}`,
    );
    const violations = checkRestrictions(composition, agent.restrictions);
    return {
      validation:
        validation.verdict === "valid"
          ? validation
          : { ...validation, reason: masker.mask(validation.reason) },
      problems: [...left, ...violations.map((each) => `refused by agent.restrictions: ${each}`)].map((text) =>
        masker.mask(text),
      ),
      withRemote: inputs.remote !== undefined && settings.capabilities.acceptsRemoteConfig,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function presentInputs(
  directory: string,
  configFiles: readonly string[],
): Promise<ConfigurationInputs> {
  const present = await readLocalFiles(configFiles, (path) => readFile(path, "utf8"));
  const readable = Object.entries(present).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string",
  );
  const localFiles = Object.fromEntries(readable);
  const state = new ReadOnlyDirectory(directory);
  const book = await readBookAtRest(directory);
  const kept = await keptInputs(state, book);
  const packages = book.current?.packages ?? null;
  if (kept !== undefined) return { ...kept, localFiles, packages };
  return {
    remote: await loadMessage(state, remoteConfigFile, AgentRemoteConfigSchema),
    ownTelemetry: await loadMessage(state, ownTelemetryFile, ConnectionSettingsOffersSchema),
    localFiles,
    packages,
  };
}

function keptInputs(
  state: ReadOnlyDirectory,
  { current }: BookContent,
): Promise<ConfigurationInputs | undefined> {
  if (current === null || current.id === null || !hasWorked(current)) return Promise.resolve(undefined);
  return new Snapshots(new ReadOnlyDirectory(state.path("configurations"))).loadInputs(current.id);
}
