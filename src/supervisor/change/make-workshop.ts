import { readFile } from "node:fs/promises";
import type { Clock } from "../../foundation/clock.ts";
import type { Tree } from "../../foundation/collector-yaml/tree.ts";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { CollectorBinary } from "../collector/binary.ts";
import type { Collector } from "../collector/collector.ts";
import type { Launch } from "../collector/launch.ts";
import { goMemLimitOf } from "../collector/memory-limit.ts";
import type { RunAs } from "../collector/run-as.ts";
import { validateConfiguration } from "../collector/validate.ts";
import { type Composition, compose } from "../configuration/compose.ts";
import { missingConnections } from "../configuration/connection-references.ts";
import type { ExtensionSettings } from "../configuration/extension-fragment.ts";
import { checkRestrictions } from "../configuration/restrictions.ts";
import { collectSecrets, SecretMasker } from "../configuration/secrets.ts";
import { readSmallFile } from "../configuration/small-file.ts";
import { readSource } from "../configuration/sources.ts";
import { connectionSecrets } from "../connection/collector/other-connections.ts";
import type { Program, Programs } from "../packages/programs.ts";
import type { SupervisorSettings } from "../settings/supervisor-settings.ts";
import type { Failure } from "./change.ts";
import { noPipelinesOf, toCompositionInput } from "./composition-input.ts";
import type { ConfigurationBook } from "./configuration-book.ts";
import type { ConfigurationInputs, Snapshots } from "./snapshots.ts";
import type { LastResort, Merged, Validation, Workshop } from "./workshop.ts";

const noPipelinesGate = "service.AllowNoPipelines";

/** By this variable a configuration names a file of an addon: `${env:OPAMP_PACKAGES}/NAME`. */
const packagesVariable = "OPAMP_PACKAGES";

/** Bound of `<binary> validate`, as in the reference. */
const validateTimeoutMs = 10_000;

interface WorkshopDeps {
  settings: SupervisorSettings;
  secrets: ReadonlySet<string>;
  clock: Clock;
  logger: Logger;
  collector: Collector;
  book: ConfigurationBook;
  snapshots: Snapshots;
  programs: Programs;
  runAs: RunAs | undefined;
  /** Where the Collector reads its configuration. */
  configPath: string;
  /** Where it finds the packages, as `OPAMP_PACKAGES`; undefined where none are accepted. */
  packagesPath: string | undefined;
  /** Of the link as it is now; the mark differs with every configuration. */
  extension(): Omit<ExtensionSettings, "mark">;
  /** Attributes for the resource of the Collector's own telemetry. */
  attributes(binary: CollectorBinary | undefined): Readonly<Record<string, string>>;
  install: Workshop["install"];
  saveKept: Workshop["saveKept"];
  reportRemote: Workshop["reportRemote"];
  distrust: Workshop["distrust"];
  keepPackages: Workshop["keepPackages"];
  installingPackages: Workshop["installingPackages"];
  provesLater: Workshop["provesLater"];
  labelChanged: Workshop["labelChanged"];
  runningChanged: Workshop["runningChanged"];
}

/** The workshop of a real host: the settings, the Collector's binary and the state directory. */
export function makeWorkshop(deps: WorkshopDeps): Workshop {
  const { settings, programs, clock, logger } = deps;
  const { agent } = settings;
  const env = collectorEnvironment(settings);
  const withPackages = (path: string | undefined) =>
    path === undefined || deps.packagesPath === undefined ? env : { ...env, [packagesVariable]: path };
  const programOf = async (packages: string | null): Promise<Program> => {
    const program = await programs.find(packages);
    if ("missing" in program) throw new Error(program.missing);
    return program;
  };
  const masks = new Masks([...deps.secrets, deps.extension().token], env);

  const composeWith = async (
    inputs: ConfigurationInputs,
    mark: string,
    configFiles = agent.configFiles,
  ): Promise<Composition> => {
    const pems = new Set<string>();
    const program = await programs.find(inputs.packages);
    const binary = "missing" in program ? undefined : program.binary;
    const composition = compose(
      toCompositionInput(inputs, {
        settings,
        extension: { ...deps.extension(), mark },
        attributes: deps.attributes(binary),
        noPipelines: noPipelinesOf(binary),
        configFiles,
        pemPath(pem) {
          pems.add(pem);
          return deps.snapshots.pemPath(pem);
        },
      }),
    );
    for (const pem of pems) await deps.snapshots.savePem(pem);
    return composition;
  };

  return {
    clock,
    logger,
    collector: deps.collector,
    book: deps.book,
    snapshots: deps.snapshots,
    applyTimeoutMs: agent.configApplyTimeoutMs,
    hasFallback: agent.startupFallbackConfigs.length > 0,
    mayReload: agent.useHupConfigReload ?? true,
    install: deps.install,
    saveKept: deps.saveKept,
    reportRemote: deps.reportRemote,
    distrust: deps.distrust,
    keepPackages: deps.keepPackages,
    installingPackages: deps.installingPackages,
    provesLater: deps.provesLater,
    labelChanged: deps.labelChanged,
    runningChanged: deps.runningChanged,
    mask: (text) => masks.mask(text),

    async merge(inputs, mark): Promise<Merged> {
      const composition = await composeWith(inputs, mark);
      for (const { file, problem } of composition.warnings) {
        logger.warn(
          { event: "config_file_skipped", file, problem },
          `local file ${file} is left out: ${problem}`,
        );
      }
      await masks.learn(composition.tree, connectionSecrets(inputs.ownTelemetry));
      const violations = checkRestrictions(composition, agent.restrictions);
      const { text, contentHash } = composition;
      const mayCome = settings.capabilities.acceptsOtherConnectionSettings;
      return { text, contentHash, violations, missingConnections: mayCome ? missingConnections(text) : [] };
    },

    async lastResorts(mark, packages): Promise<LastResort[]> {
      const nothing = { remote: undefined, ownTelemetry: undefined, localFiles: {}, packages };
      const resorts: LastResort[] = [];
      for (const path of agent.startupFallbackConfigs) {
        try {
          const text = await readFile(path, "utf8");
          readSource(text);
          const merged = toMerged(
            await composeWith({ ...nothing, localFiles: { [path]: text } }, mark, [path]),
          );
          resorts.push({ role: "fallback", name: path, merged });
        } catch (error) {
          const fields = { event: "fallback_unusable", file: path, error: describeError(error) };
          logger.error(fields, "a startup fallback configuration cannot be used");
        }
      }
      resorts.push({
        role: "bootstrap",
        name: "(empty)",
        merged: toMerged(await composeWith(nothing, mark)),
      });
      return resorts;
    },

    async missingProgram(packages): Promise<string | undefined> {
      const program = await programs.find(packages);
      return "missing" in program ? program.missing : undefined;
    },

    async programVersion(packages): Promise<string | undefined> {
      const program = await programs.find(packages);
      return "binary" in program && program.binary.identified ? program.binary.version : undefined;
    },

    async checkProgram(packages): Promise<Failure | undefined> {
      const { source, binary } = await programOf(packages);
      if (source === "local" || binary.identified) return undefined;
      const fault = binary.problem === "unresponsive" ? "host" : "own";
      // What an administrator would do about agent.executable is no help here.
      const [what = ""] = binary.reason.split("; set agent.executable");
      return { fault, reason: `the package cannot be the Collector: ${what}` };
    },

    async validate({ id, packages }, signal): Promise<Validation> {
      const { executable, binary, packagesPath } = await programOf(packages);
      // What a package brings is run for the first time here: never without the check.
      if (agent.validateConfig === false && packages === null) return { verdict: "valid" };
      return validateConfiguration({
        executable,
        configPath: deps.snapshots.path(id),
        args: agent.args,
        featureGates: gatesOf(binary),
        env: withPackages(packagesPath ?? deps.packagesPath),
        timeoutMs: validateTimeoutMs,
        runAs: deps.runAs,
        clock,
        signal,
      });
    },

    async launch({ id, packages, role }, configPath = deps.configPath): Promise<Launch> {
      const { executable, binary } = await programOf(packages);
      const names = gatesOf(binary);
      const gates = names.length === 0 ? [] : ["--feature-gates", names.join(",")];
      return {
        mark: id,
        role,
        executable,
        fileIdentity: binary.fileIdentity ?? "",
        args: ["--config", configPath, ...gates, ...agent.args],
        env: withPackages(deps.packagesPath),
      };
    },
  };
}

const gatesOf = (binary: CollectorBinary) => (noPipelinesOf(binary) === "gate" ? [noPipelinesGate] : []);

/** Hides the secrets of the settings, and those of the newest configurations. */
class Masks {
  readonly #fixed: readonly string[];
  readonly #env: Readonly<Record<string, string>>;
  #learned: readonly ReadonlySet<string>[] = [];
  #masker: SecretMasker;

  constructor(fixed: readonly string[], env: Readonly<Record<string, string>>) {
    this.#fixed = fixed;
    this.#env = env;
    this.#masker = new SecretMasker(fixed);
  }

  async learn(tree: Tree, further: readonly string[]): Promise<void> {
    const secrets = await collectSecrets(tree, {
      env: (name) => this.#env[name],
      readFile: readSmallFile,
    });
    for (const secret of further) secrets.add(secret);
    // The one that fails, the one that runs and the one to go back to are all that can be quoted.
    this.#learned = [...this.#learned, secrets].slice(-4);
    this.#masker = new SecretMasker([...this.#fixed, ...this.#learned.flatMap((each) => [...each])]);
  }

  mask(text: string): string {
    return this.#masker.mask(text);
  }
}

function toMerged({ text, contentHash }: Composition): Merged {
  return { text, contentHash, violations: [] };
}

/**
 * What systemd says to one start of this service alone (systemd.exec(5), sd_notify(3)). Handed on it would be
 * wrong, and a Collector that was left running would never be taken for the one that should run.
 */
const ofThisStartOnly =
  /^(?:INVOCATION_ID|JOURNAL_STREAM|SYSTEMD_EXEC_PID|NOTIFY_SOCKET|WATCHDOG_.+|MANAGERPID.*|LISTEN_(?:PID|FDS|FDNAMES|PIDFDID)|MEMORY_PRESSURE_.+)$/;

/** What the Collector inherits, and `agent.env` over it. */
export function collectorEnvironment(
  { agent }: SupervisorSettings,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Record<string, string> {
  const inherited = Object.entries(environment).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !ofThisStartOnly.test(entry[0]),
  );
  const { memoryLimitBytes } = agent;
  const limit = memoryLimitBytes === undefined ? {} : { GOMEMLIMIT: goMemLimitOf(memoryLimitBytes) };
  return { ...Object.fromEntries(inherited), ...limit, ...agent.env };
}
