import { noPackagesRecord, type PackagesRecord } from "../../src/supervisor/change/packages-record.ts";
import {
  behaviourWith,
  contentsOf,
  executableOf,
  localExecutable,
  nameOf,
  programAt,
  setOf,
} from "./simulated-programs.ts";
import type { SimulatedMessage } from "./simulated-server.ts";
import { currentSet, isWhole } from "./simulated-store.ts";
import type { SimulatedSupervisor } from "./simulated-supervisor.ts";
import type { SimulatedText } from "./simulated-text.ts";
import type { World } from "./world.ts";

/** Programs that no change with them survives. */
const neverKept = ["stillborn", "silent"];
/** The record of an offer: see `PackageIntake`. */
const maxTries = 3;

type Claim = readonly [holds: boolean, otherwise: string];

const failing = (claims: readonly Claim[]): string[] =>
  claims.flatMap(([holds, otherwise]) => (holds ? [] : [otherwise]));

/** What is wrong with the packages of a world that has come to rest. */
export function packageProblems(world: World, supervisor: SimulatedSupervisor): string[] {
  return [
    ...setProblems(world, supervisor),
    ...statusProblems(world, supervisor),
    ...triesProblems(world),
    ...togetherProblems(world, supervisor),
  ];
}

/** Whether there is any binary on this host, and one that what is known here can run with for good. */
export function programsOf(
  { hasLocal, host, disk }: World,
  { book }: SimulatedSupervisor,
): { any: boolean; sound: boolean } {
  const sets = [...book.packageSets].map((set) => set.split("+"));
  const withLocal = hasLocal ? [...sets, []] : sets;
  const usable = withLocal.flatMap((addons) => {
    const executable = executableOf(addons) ?? (hasLocal ? localExecutable : undefined);
    return executable === undefined
      ? []
      : [{ executable, surroundings: { program: programAt(executable), addons } }];
  });
  const texts = [...book.snapshotIds].map((id) =>
    disk.json<SimulatedText>(`configurations/${id}.yaml`, {
      mark: id,
      remote: null,
      local: {},
      ownTelemetry: null,
    }),
  );
  const isSound = ({ executable, surroundings }: (typeof usable)[number]) =>
    /^(?:good|sours)/.test(surroundings.program.behaviour) &&
    !host.hasSoured(executable) &&
    texts.some((text) => behaviourWith(text, surroundings) !== "refused");
  return { any: usable.length > 0, sound: usable.some(isSound) };
}

function setProblems({ disk, running }: World, { book }: SimulatedSupervisor): string[] {
  const set = book.current?.packages ?? null;
  const wanted = executableOf(set?.split("+") ?? []) ?? localExecutable;
  const whenRunning: Claim[] = [
    [currentSet(disk) === set, `the link names ${currentSet(disk)}, and ${set} is in use`],
    [running?.packages === set, `what runs has read the files of ${running?.packages}, not of ${set}`],
    [running?.executable === wanted, `${running?.executable} runs in place of ${wanted}`],
  ];
  const missing = [...book.packageSets].filter((id) => !isWhole(disk, id));
  return failing([
    [missing.length === 0, `${missing.join()} is needed and not there`],
    ...(running === undefined ? [] : whenRunning),
  ]);
}

function statusProblems(world: World, supervisor: SimulatedSupervisor): string[] {
  const { disk, server } = world;
  const { desiredPackages: desired } = server;
  if (desired === undefined) return [];
  const { packages: view, book } = supervisor;
  const set = book.current?.packages ?? null;
  const { outcome, failure } = disk.json<PackagesRecord>("packages.json", noPackagesRecord);
  const offered = contentsOf(desired);
  const runs = setOf(offered) === set;
  const states = new Map(view?.packages.map(({ name, state }) => [name, state]));
  const wrong = offered.filter((content) => {
    const state = states.get(nameOf(content));
    return state?.t !== (set?.split("+").includes(content) === true ? "installed" : "failed");
  });
  const saysFailed = view?.problem !== undefined || [...states.values()].some(({ t }) => t === "failed");
  const held = set?.split("+").map(nameOf) ?? [];
  return failing([
    [view?.allHash === Buffer.from(desired).toString("hex"), `the packages' status is of ${view?.allHash}`],
    [
      wrong.length === 0,
      `${wrong.map((each) => `${each} is ${states.get(nameOf(each))?.t}`).join()} (${set} is in use)`,
    ],
    [
      runs !== saysFailed,
      runs ? "the packages are FAILED, but in use" : "nothing says that the packages FAILED",
    ],
    [outcome === (runs ? "applied" : "failed"), `the record says ${outcome}`],
    [held.every((name) => states.has(name)), "a package that is held is not in the status"],
    [
      failure?.fault !== "host" || isHostUnable(world, supervisor),
      `FAILED for a fault of the host, and not tried again: ${failure?.reason}`,
    ],
  ]);
}

/** Told to run nothing, or without the program that addons, or no packages at all, need. */
function isHostUnable(
  { hasLocal, server: { desiredPackages = "" } }: World,
  { book: { current } }: SimulatedSupervisor,
): boolean {
  const needsLocal = executableOf(contentsOf(desiredPackages)) === undefined;
  return current?.id === null || (needsLocal && !hasLocal);
}

function triesProblems({ starts, endings }: World): string[] {
  return neverKept.flatMap((program) => {
    const times = starts.get(executableOf([program]) ?? "")?.size ?? 0;
    // One that died between the failure and the note of it tries once more.
    return times <= maxTries + endings ? [] : [`${program} was started ${times} times`];
  });
}

/** Those of one message run together or not at all, where neither came in any other. */
function togetherProblems(
  { host, hasLocal, server: { messages } }: World,
  { book: { current, packageSets } }: SimulatedSupervisor,
): string[] {
  const last = messages.at(-1);
  if (last?.configuration === undefined || last.packages === undefined) return [];
  const { hash, body } = last.configuration;
  const set = setOf(contentsOf(last.packages));
  const isOther = messages.some(({ configuration, packages }) => {
    const hasConfiguration = configuration?.hash === hash || configuration?.body === body;
    const hasPackages = packages !== undefined && setOf(contentsOf(packages)) === set;
    return hasConfiguration !== hasPackages;
  });
  if (set === null || body === undefined || isOther) return [];
  // The ladder may give up a program that went bad, and not the configuration.
  if (host.hasSoured(executableOf(contentsOf(last.packages)) ?? "")) return [];
  // The only program that there is stays.
  const others = [...packageSets].filter(
    (each) => each !== set && executableOf(each.split("+")) !== undefined,
  );
  if (!hasLocal && others.length === 0) return [];
  const runs = [current?.remoteHash === Buffer.from(hash).toString("hex"), current?.packages === set];
  return runs[0] === runs[1] ? [] : [`${hash} ${runs[0] ? "runs" : "does not run"} without ${last.packages}`];
}

/** After offers of good things alone: packages that what runs can do with are in use. */
export function unfulfilledPackagesOf(world: World): string[] {
  const { running, supervisor, server } = world;
  const { desiredPackages: desired, messages } = server;
  if (desired === undefined || supervisor === undefined || running?.text === undefined) return [];
  const isGood = ({ configuration, packages = "none" }: SimulatedMessage) =>
    /^(?:good|recovers|slow:2000)/.test(configuration?.body ?? "good") &&
    !executableOf(contentsOf(packages))?.match(/unfit|stillborn|silent|brief|broken|sour|forged/);
  if (!messages.every(isGood)) return [];
  const contents = contentsOf(desired);
  const executable = executableOf(contents) ?? localExecutable;
  if (executable === localExecutable && !world.hasLocal) return [];
  const surroundings = { program: programAt(executable), addons: contents };
  const { text } = running;
  const isRefused = (remote: string | undefined) =>
    behaviourWith({ ...text, remote: remote ?? null }, surroundings) === "refused";
  // A configuration that cannot do with them ran, or came with them, when they were tried.
  if (messages.some(({ configuration }) => isRefused(configuration?.body))) return [];
  return supervisor.book.current?.packages === setOf(contents) ? [] : [`${desired} is not installed`];
}
