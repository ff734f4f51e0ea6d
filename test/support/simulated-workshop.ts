import type { ConfigurationInputs, Snapshots } from "../../src/supervisor/change/snapshots.ts";
import type { LastResort, Merged, Workshop } from "../../src/supervisor/change/workshop.ts";
import type { Launch } from "../../src/supervisor/collector/launch.ts";
import { ConfigurationError } from "../../src/supervisor/configuration/configuration-error.ts";
import { type Program, Programs } from "../../src/supervisor/packages/programs.ts";
import type { Life } from "./simulated-life.ts";
import { behaviourWith, identify, localExecutable, programAt } from "./simulated-programs.ts";
import type { SimulatedStore } from "./simulated-store.ts";
import { remoteBody, type SimulatedText, toMerged } from "./simulated-text.ts";
import type { World } from "./world.ts";

const identifyMs = 5;
const validateMs = 10;
const validateTimeoutMs = 10_000;

type Judging = Pick<
  Workshop,
  "merge" | "lastResorts" | "missingProgram" | "checkProgram" | "programVersion" | "validate" | "launch"
>;

/** What `makeWorkshop` does with texts and binaries, done with simulated ones. */
export function simulatedWorkshop(
  world: World,
  { life, store, snapshots }: { life: Life; store: SimulatedStore; snapshots: Snapshots },
): Judging {
  const programs = new Programs({
    local: world.options.local === "none" ? undefined : localExecutable,
    acceptsPackages: true,
    loadSet: (id) => store.load(id),
    identityOf: async (path) => (path === localExecutable && !world.hasLocal ? undefined : path),
    async identify(path) {
      await life.sleep(world.validateHangs ? validateTimeoutMs : identifyMs);
      const nothing = { identified: false as const, path };
      if (path === localExecutable && !world.hasLocal)
        return { ...nothing, fileIdentity: undefined, problem: "not-found", reason: "there is no such file" };
      if (world.validateHangs)
        return { ...nothing, fileIdentity: path, problem: "unresponsive", reason: "no answer within 10 s" };
      return identify(path);
    },
  });
  const programOf = async (packages: string | null): Promise<Program> => {
    const program = await programs.find(packages);
    if ("missing" in program) throw new Error(program.missing);
    return program;
  };
  return {
    merge: async (inputs, mark) => merge(world, inputs, mark),
    lastResorts: async (mark, packages) => lastResorts(world, mark, packages),
    async missingProgram(packages) {
      const program = await programs.find(packages);
      return "missing" in program ? program.missing : undefined;
    },
    async programVersion(packages) {
      const program = await programs.find(packages);
      return "binary" in program && program.binary.identified ? program.binary.version : undefined;
    },
    async checkProgram(packages) {
      const { source, binary } = await programOf(packages);
      if (source === "local" || binary.identified) return undefined;
      const fault = binary.problem === "unresponsive" ? "host" : "own";
      return { fault, reason: `the package cannot be the Collector: ${binary.reason}` };
    },
    async validate({ id, packages }) {
      const { executable } = await programOf(packages);
      if (world.validateHangs) {
        await life.sleep(validateTimeoutMs);
        return { verdict: "undecided", reason: "the check took longer than 10 s" };
      }
      const data = world.disk.files.get(snapshots.path(id));
      const text = JSON.parse(new TextDecoder().decode(data)) as SimulatedText;
      await life.sleep(validateMs);
      const surroundings = { program: programAt(executable), addons: packages?.split("+") ?? [] };
      return behaviourWith(text, surroundings) === "refused"
        ? { verdict: "invalid", reason: "unknown component" }
        : { verdict: "valid" };
    },
    async launch({ id, packages, role }, configPath = "effective.yaml"): Promise<Launch> {
      const { executable, binary } = await programOf(packages);
      const fileIdentity = binary.fileIdentity ?? "";
      return { mark: id, role, executable, fileIdentity, args: ["--config", configPath], env: {} };
    },
  };
}

function merge(world: World, inputs: ConfigurationInputs, mark: string): Merged {
  const remote = remoteBody(inputs.remote);
  const parts: Omit<SimulatedText, "mark"> = {
    remote: remote ?? null,
    local: inputs.localFiles,
    ownTelemetry: inputs.ownTelemetry?.ownMetrics?.destinationEndpoint ?? null,
  };
  if (remote === "malformed") throw new ConfigurationError("not YAML", { entry: "", line: 1 });
  world.merged(mark, inputs);
  return toMerged(mark, parts);
}

function lastResorts(world: World, mark: string, packages: string | null): LastResort[] {
  const { fallback } = world.options;
  const empty = { remote: null, local: {}, ownTelemetry: null };
  world.merged(mark, { remote: undefined, ownTelemetry: undefined, localFiles: {}, packages });
  const bootstrap: LastResort = { role: "bootstrap", name: "(empty)", merged: toMerged(mark, empty) };
  if (fallback === undefined) return [bootstrap];
  const merged = toMerged(mark, { ...empty, local: { "fallback.yaml": fallback } });
  return [{ role: "fallback", name: "fallback.yaml", merged }, bootstrap];
}
