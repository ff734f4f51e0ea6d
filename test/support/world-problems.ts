import type { BookContent } from "../../src/supervisor/change/configuration-book.ts";
import type { JournalEntry } from "../../src/supervisor/change/journal.ts";
import type { SimulatedSupervisor } from "./simulated-supervisor.ts";
import { behaviourOf, keptRemote, type SimulatedText } from "./simulated-text.ts";
import type { World } from "./world.ts";
import { packageProblems, programsOf } from "./world-package-problems.ts";

/** Everything that is wrong with a world that has come to rest. */
export function problemsOf(world: World): string[] {
  const { supervisor } = world;
  if (supervisor === undefined) return [...world.violations, "no supervisor runs"];
  const problems = [...world.violations, ...storageProblems(world, supervisor)];
  if (outlivedItsProbation(world, supervisor)) return problems;
  const programs = programsOf(world, supervisor);
  if (!programs.any) return [...problems, ...withoutProgram(world)];
  // Nothing but a program that went bad in time: it is restarted for ever.
  if (!programs.sound) return problems;
  return [
    ...problems,
    ...packageProblems(world, supervisor),
    ...collectorProblems(world, supervisor),
    ...statusProblems(world, supervisor),
    ...healthProblems(world, supervisor),
  ];
}

function withoutProgram({ running, server: { desired, status } }: World): string[] {
  return failing([
    [running === undefined, "a Collector runs without a program"],
    [
      desired === undefined || desired.body === undefined || status?.verdict.t === "failed",
      `without a program the status is ${status?.verdict.t}`,
    ],
  ]);
}

/** After offers alone, each that works has been applied, and each that does not has failed. */
export function unfulfilledOf({ server: { desired, status, messages } }: World): string[] {
  if (desired === undefined) return [];
  // With packages that is for those to say which they came with.
  if (messages.some(({ packages }) => packages !== undefined)) return [];
  const works = desired.body === undefined || /^(?:good|recovers|slow:2000)/.test(desired.body);
  const expected = works ? "applied" : "failed";
  // One that is only slow may be applied late where there is nothing better.
  const isLate = desired.body === "slow:9000";
  return isLate || status?.verdict.t === expected ? [] : [`${desired.hash} is ${status?.verdict.t}`];
}

/** The texts of the claims that do not hold. */
function failing(claims: readonly (readonly [boolean, string])[]): string[] {
  return claims.flatMap(([holds, otherwise]) => (holds ? [] : [otherwise]));
}

function storageProblems({ disk, book }: World, supervisor: SimulatedSupervisor): string[] {
  const journal = disk.json<JournalEntry | null>("journal.json", null);
  const snapshots = [...supervisor.book.snapshotIds];
  return failing([
    [
      JSON.stringify(book) === JSON.stringify(bookOf(supervisor)),
      "the book on disk is not the one in memory",
    ],
    [journal === null, `a change is still under way: ${journal?.step}`],
    [
      snapshots.every((id) => disk.files.has(`configurations/${id}.yaml`)),
      "a snapshot that is still needed is gone",
    ],
  ]);
}

function collectorProblems(world: World, { book, collector }: SimulatedSupervisor): string[] {
  const { running, host, server } = world;
  const { desired, status } = server;
  const { current } = book;
  const ordered = desired !== undefined && desired.body === undefined;
  // An offer that failed after an order to stop leaves that order in force.
  const inForce = status?.verdict.t === "failed" && world.server.applied.has("stop") && current?.id === null;
  if (ordered || inForce)
    return failing([[running === undefined, "a Collector runs against the server's order"]]);
  const isLastResort = current?.role === "fallback" || current?.role === "bootstrap";
  const mark = running?.text?.mark;
  return failing([
    [host.alive.length <= 1, `${host.alive.length} Collectors run`],
    [running !== undefined, `no Collector runs (${collector.state.t})`],
    // A program whose probation a configuration cut short may say so for ever where there is nothing to go back to.
    [
      running?.healthy === true || (isLastResort && running?.surroundings.program.behaviour !== "good"),
      "the Collector is not healthy",
    ],
    [
      isLastResort || world.marks.get(mark ?? "")?.proven !== false,
      "the Collector runs what was never proven",
    ],
    [current?.id === mark, "the Collector runs something else than the book says"],
  ]);
}

function statusProblems(world: World, { book }: SimulatedSupervisor): string[] {
  const { running, server } = world;
  const { desired, status } = server;
  if (desired === undefined) return [];
  const { current, quarantined } = book;
  const kept = keptRemote(world.disk.files);
  const keptHash = kept && new TextDecoder().decode(kept.configHash);
  const worked = [...world.marks.values()].some(
    ({ remoteHash, proven }) => proven && remoteHash === keptHash,
  );
  const desiredHash = Buffer.from(desired.hash).toString("hex");
  const isCurrent = current?.remoteHash === desiredHash;
  const verdict = status?.verdict.t;
  const whenApplied = [
    [desired.body === undefined || running?.text?.remote === desired.body, "APPLIED, but it does not run"],
    [current?.role === "desired" || isCurrent, `APPLIED, but what runs is ${current?.role}`],
    [keptHash === desired.hash, `APPLIED, but ${keptHash} was kept`],
  ] as const;
  // What an edit on this host took with it has no fault of its own, and may be offered again.
  const isOwnFault =
    world.wasEdited ||
    quarantined.some(({ hash }) => hash === desiredHash || hash.startsWith(`${desiredHash}+`)) ||
    // They are tried again together, or refused together.
    world.server.sentWithPackages.has(desired.hash);
  const whenFailed = [
    [desired.body !== undefined, "the order to stop is FAILED"],
    [!(isCurrent && current?.role === "desired"), "FAILED, but it runs"],
    [isOwnFault, "FAILED for a fault of the host, and not tried again"],
    [keptHash !== desired.hash, "FAILED, but it was kept"],
  ] as const;
  return failing([
    [status?.hash === desired.hash, `the status is of ${status?.hash}, not of the newest offer`],
    [verdict === "applied" || verdict === "failed", `the status is ${verdict}`],
    ...(verdict === "applied" ? whenApplied : whenFailed),
    [
      keptHash === undefined || worked || world.server.applied.has(keptHash),
      `${keptHash} was kept, but never worked`,
    ],
  ]);
}

/** Whether the health that the server sees tells what really runs. */
function healthProblems({ running }: World, { book, state }: SimulatedSupervisor): string[] {
  const health = state.get("health");
  const role = book.current?.role ?? "desired";
  if (health === undefined) return ["no health was reported"];
  if (book.current?.id === null)
    return failing([[health.status.startsWith("stopped"), `health ${health.status}`]]);
  return failing([
    [role === "desired" || health.status.startsWith(role), `health hides the ${role}: ${health.status}`],
    [
      role === "bootstrap" || health.healthy === (running?.healthy === true),
      `health says healthy: ${health.healthy}`,
    ],
  ]);
}

/** One that hung quietly until its probation was over goes on failing; where nothing else is left it is tried for ever. */
function outlivedItsProbation({ disk, wasFrozen }: World, { book }: SimulatedSupervisor): boolean {
  if (!wasFrozen || book.onProbation) return false;
  if ([...book.packageSets].some((set) => /brief|broken/.test(set))) return true;
  return [book.current, ...book.wayBack].some((reference) => {
    const data = disk.files.get(`configurations/${reference?.id}.yaml`);
    if (data === undefined) return false;
    return /-after:/.test(behaviourOf(JSON.parse(new TextDecoder().decode(data)) as SimulatedText));
  });
}

function bookOf({ book }: SimulatedSupervisor): BookContent {
  const { current, onProbation, wayBack, quarantined, olderPackages } = book;
  return {
    current,
    onProbation,
    wayBack: [...wayBack],
    quarantined: [...quarantined],
    olderPackages: [...olderPackages],
  };
}
