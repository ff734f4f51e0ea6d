import { createHash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { type PackagesAvailable, PackagesAvailableSchema, PackageType } from "../../src/opamp/messages.ts";
import type { CollectorBinary } from "../../src/supervisor/collector/binary.ts";
import { behaviourOf, type SimulatedText } from "./simulated-text.ts";

/** What makes one simulated Collector binary another. */
export interface SimulatedProgram {
  version: string;
  /** A word as in a configuration: what it does whatever its configuration; "unfit" is no Collector at all. */
  behaviour: string;
}

/** Where `agent.executable` leads. */
export const localExecutable = "otelcol";
const localProgram: SimulatedProgram = { version: "1", behaviour: "good" };

/** What the files of packages hold, by the last part of their URL: a program, or an addon. */
const programs: Readonly<Record<string, SimulatedProgram>> = {
  two: { version: "2", behaviour: "good" },
  three: { version: "3", behaviour: "good" },
  large: { version: "2", behaviour: "good" },
  unfit: { version: "2", behaviour: "unfit" },
  stillborn: { version: "2", behaviour: "dies-at-start" },
  silent: { version: "2", behaviour: "mute" },
  brief: { version: "2", behaviour: "dies-after:4000" },
  broken: { version: "2", behaviour: "breaks-after:3000" },
  sour: { version: "2", behaviour: "sours-after:120000" },
  forged: { version: "2", behaviour: "good" },
};

/** What a Collector is started with beside its configuration. */
export interface Surroundings {
  program: SimulatedProgram;
  /** Contents of the package set in use. */
  addons: readonly string[];
}

/** Contents of each offer; those of the same contents have one set and two hashes. */
const offers: Readonly<Record<string, readonly string[]>> = {
  none: [],
  two: ["two"],
  twin: ["two"],
  three: ["three"],
  large: ["large"],
  rules: ["rules1"],
  newrules: ["rules2"],
  both: ["two", "rules1"],
  newboth: ["two", "rules2"],
  unfit: ["unfit"],
  stillborn: ["stillborn"],
  silent: ["silent"],
  brief: ["brief"],
  broken: ["broken"],
  sour: ["sour"],
  sourboth: ["sour", "rules1"],
  forged: ["forged"],
};

export const packageOffers = Object.keys(offers);
/** Those whose programs can be installed. */
export const goodPackageOffers = [
  "none",
  "two",
  "twin",
  "three",
  "large",
  "rules",
  "newrules",
  "both",
  "newboth",
];

export const contentsOf = (offer: string): readonly string[] => offers[offer] ?? [];

/** What the store calls the set of these contents; null where there are none. */
export const setOf = (contents: readonly string[]): string | null =>
  contents.length === 0 ? null : [...contents].sort().join("+");

const isProgram = (content: string): boolean => content in programs;
export const executableOf = (contents: readonly string[]): string | undefined => {
  const program = contents.find(isProgram);
  return program === undefined ? undefined : `packages/versions/${program}`;
};

export function programAt(executable: string): SimulatedProgram {
  return programs[executable.replace("packages/versions/", "")] ?? localProgram;
}

/** What running the binary at this path for a moment tells. */
export function identify(path: string): CollectorBinary {
  const { behaviour, version } = programAt(path);
  const common = { path, fileIdentity: path };
  if (behaviour === "unfit")
    return { ...common, identified: false, problem: "not-a-collector", reason: "it is no Collector" };
  return {
    ...common,
    identified: true,
    command: "otelcol",
    description: "",
    version,
    components: { receivers: [], processors: [], exporters: [], connectors: [], extensions: [] },
    supportsNoPipelines: true,
  };
}

/** How a Collector behaves by all that it is made of. */
export function behaviourWith(text: SimulatedText, surroundings: Surroundings): string {
  const own = behaviourOf(text);
  if (own === "refused" || lacksSomething(text, surroundings)) return "refused";
  const { behaviour } = surroundings.program;
  return behaviour === "good" || (behaviour.startsWith("sours") && own !== "good") ? own : behaviour;
}

/** A configuration may say what it needs: "good modern from-2", "good ancient until-2", "good ruled with-rules". */
function lacksSomething({ remote }: SimulatedText, { program, addons }: Surroundings): boolean {
  const words = (remote ?? "").split(" ");
  const version = Number(program.version);
  return words.some((word) => {
    const [kind, what] = word.split("-");
    if (kind === "from") return version < Number(what);
    if (kind === "until") return version > Number(what);
    return kind === "with" && !addons.some((addon) => addon.startsWith(what ?? ""));
  });
}

/** The message of an offer. */
export function toPackagesAvailable(offer: string): PackagesAvailable {
  const packages = contentsOf(offer).map((content) => {
    const type = isProgram(content) ? PackageType.PackageType_TopLevel : PackageType.PackageType_Addon;
    const contentHash = new Uint8Array(createHash("sha256").update(content).digest());
    const file = { downloadUrl: `http://packages.test/${content}`, contentHash };
    const available = { type, version: programs[content]?.version ?? "1", hash: contentHash, file };
    return [nameOf(content), available] as const;
  });
  return create(PackagesAvailableSchema, {
    packages: Object.fromEntries(packages),
    allPackagesHash: new TextEncoder().encode(offer),
  });
}

/** The name of the package that has this content. */
export const nameOf = (content: string): string => (isProgram(content) ? "" : content.replace(/\d$/, ""));
