import type { Candidate } from "../cohorts/candidate.ts";
import { type Placed, placeInStage } from "../cohorts/placing.ts";
import { type Evidence, isSilent, type MemberFacts } from "../gates/evidence.ts";
import type { Finding, Level } from "../gates/finding.ts";
import { judge, type Verdict } from "../gates/judge.ts";
import type { Gates } from "../strategy/gates.ts";
import type { Stage } from "../strategy/strategy.ts";
import type { Member, Rollout, StageBegun } from "./rollout.ts";
import type { RolloutEvent } from "./transition.ts";

/** All that a decision is made on. */
export interface Situation {
  readonly rollout: Rollout;
  /** All Agents that its selector picks. */
  readonly candidates: readonly Candidate[];
  readonly members: ReadonlyMap<string, Member>;
  readonly evidence: Evidence;
  /** Unix milliseconds. */
  readonly now: number;
}

/** What is to be done now; the driver does it, and asks again. */
export interface Step {
  /** The stage, when it begins with this step. */
  readonly begun: StageBegun | undefined;
  readonly placed: readonly Placed[];
  /** Members that the rule is to apply to from now on. */
  readonly release: readonly string[];
  readonly event:
    | { readonly what: RolloutEvent; readonly text: string; readonly findings: readonly Finding[] }
    | undefined;
  readonly verdict: Verdict;
}

/** Decides on a rollout that is running or paused; a paused one is judged, and nothing else. */
export function advance(situation: Situation): Step {
  const { rollout, evidence, now } = situation;
  const { state, strategy } = rollout;
  const running = state.t === "paused" ? state.was : state;
  const stage = running.t === "running" ? strategy.stages[running.stage] : undefined;
  if (stage === undefined || running.t !== "running") throw new Error(`no stage is under way: ${state.t}`);
  const context = { gates: stage.gates, answerBudgetMs: strategy.answerBudgetMs, now };
  const verdict = judge(evidence, context, rollout.breachedSince);
  const nothing = { begun: undefined, placed: [], release: [], event: undefined, verdict };
  const breach = breachIn(rollout, verdict);
  if (breach !== undefined) return { ...nothing, event: breach };
  if (state.t === "paused" || running.phase.t === "waiting") return nothing;

  const filled = fill(situation, stage, running.stage);
  const filledNow = filled.placed.length > 0 || filled.release.length > 0 || filled.begun !== undefined;
  if (filledNow) return { ...nothing, ...filled };
  return { ...nothing, event: nextEvent(situation, stage, running.stage, running.phase, verdict) };
}

type StepEvent = NonNullable<Step["event"]>;

function breachIn({ state, tolerated, strategy }: Rollout, verdict: Verdict): StepEvent | undefined {
  const reason = verdict.because.map(({ text }) => text).join("; ");
  const findings = verdict.because;
  if (verdict.t === "critical") {
    // Where a breach only pauses, a person may have seen it already.
    const isKnown = state.t === "paused" || findings.every(({ gate }) => tolerated.includes(gate));
    if (isKnown && strategy.onBreach === "pause") return undefined;
    return { what: { t: "breached", reason }, text: `breach: ${reason}`, findings };
  }
  if (verdict.t !== "warning" || state.t === "paused") return undefined;
  const news = findings.filter(({ gate }) => !tolerated.includes(gate));
  if (news.length === 0) return undefined;
  const text = news.map((each) => each.text).join("; ");
  return { what: { t: "held-up", reason: text }, text: `warning: ${text}`, findings: news };
}

type Filled = Pick<Step, "begun" | "placed" | "release">;

/** Begins the stage, replaces silent members, takes in who comes late, and releases as many as may be under way. */
function fill(
  { rollout, candidates, members, evidence, now }: Situation,
  stage: Stage,
  index: number,
): Filled {
  const { strategy, begun } = rollout;
  const facts = new Map(evidence.members.map((each) => [each.id, each]));
  const silent = (id: string) => {
    const member = facts.get(id);
    return member !== undefined && isSilent(member, now, strategy.answerBudgetMs);
  };
  const hasBegun = begun?.index === index;
  const placing = placeInStage(candidates, {
    rolloutId: rollout.id,
    stageIndex: index,
    stage,
    isMember: (id) => members.has(id),
    isSilent: silent,
    wantedAtBegin: hasBegun ? begun.wanted : undefined,
  });
  // A stage that has nobody to look at waits for the first Agent: not enough evidence is no pass.
  const isEmpty = placing.eligible === 0 && placing.added.length === 0;
  if (!hasBegun && isEmpty && isJudged(stage.gates)) return { begun: undefined, placed: [], release: [] };
  const waiting = [
    ...[...members.values()].filter(({ releasedAt }) => releasedAt === undefined).map(({ id }) => id),
    ...placing.added.map(({ agent }) => agent.id),
  ];
  const underWay = evidence.members.filter(
    (member) => member.offeredAt !== undefined && member.answer.t === "none" && !silent(member.id),
  ).length;
  const room = stage.maxUnderWay === undefined ? waiting.length : Math.max(0, stage.maxUnderWay - underWay);
  return {
    begun: hasBegun ? undefined : { index, wanted: placing.wanted, at: now, rest: evidence.rest },
    placed: placing.added,
    release: waiting.slice(0, room),
  };
}

function nextEvent(
  { rollout, members, evidence, now }: Situation,
  stage: Stage,
  index: number,
  phase: { t: "releasing" | "dwelling"; since: number } | { t: "waiting" },
  verdict: Verdict,
): StepEvent | undefined {
  if (phase.t === "waiting" || rollout.begun?.index !== index) return undefined;
  const { strategy } = rollout;
  const isLast = index === strategy.stages.length - 1;
  const own = evidence.members.filter((member) => member.stage === index);
  const adds = [...members.values()].filter((member) => member.stage === index).length;
  const findings = verdict.findings;
  if (phase.t === "releasing") {
    if (adds === 0 && !isLast) {
      const text = `stage ${stage.name} adds no agent: its share is there already`;
      return { what: { t: "stage-passed" }, text, findings };
    }
    const isSettled = (member: MemberFacts) =>
      member.answer.t !== "none" ||
      member.offeredAt === undefined ||
      isSilent(member, now, strategy.answerBudgetMs);
    const isAllReleased = [...members.values()].every(({ releasedAt }) => releasedAt !== undefined);
    // A host that is off holds up nobody, as long as there is somebody to look at.
    const isAnyOffered =
      !isJudged(stage.gates) || evidence.members.some(({ offeredAt }) => offeredAt !== undefined);
    if (!isAllReleased || !isAnyOffered || !evidence.members.every(isSettled)) return undefined;
    const answers = own.filter(({ answer }) => answer.t !== "none").length;
    const text = `${answers} of ${adds} agents of stage ${stage.name} have answered`;
    return { what: { t: "all-answered" }, text, findings };
  }
  const over = now - phase.since - stage.dwellMs;
  if (over < 0) return undefined;
  const open = verdict.findings.filter(
    ({ gate, level }) => isOpen(level) && !rollout.tolerated.includes(gate),
  );
  const lack = lackOfEvidence(rollout, own, open, now);
  if (lack === undefined)
    return { what: { t: "stage-passed" }, text: `stage ${stage.name} passed`, findings };
  // What is missing may be on its way for as long as an answer may take.
  if (over < strategy.answerBudgetMs || open.some(({ level }) => level !== "no_evidence")) return undefined;
  const reason = `not enough evidence: ${lack}`;
  return { what: { t: "held-up", reason }, text: reason, findings: open };
}

/** A breach that has not lasted long enough yet is decided when it has. */
function isOpen(level: Level): boolean {
  return level === "no_evidence" || level === "warning" || level === "critical";
}

/**
 * Why a stage whose time is over has not passed. Who is silent or off need not answer: a stage is judged by the
 * others, and by those of the stages before; without any the gates themselves miss their evidence.
 */
function lackOfEvidence(
  { strategy }: Rollout,
  own: readonly MemberFacts[],
  open: readonly Finding[],
  now: number,
): string | undefined {
  const asked = own.filter(
    (each) => each.offeredAt !== undefined && !isSilent(each, now, strategy.answerBudgetMs),
  ).length;
  const answers = own.filter(({ answer }) => answer.t !== "none").length;
  const needed = Math.min(strategy.minimumAnswers, asked);
  if (answers < needed) return `${answers} agents of the stage have answered, ${needed} must`;
  return open.length === 0 ? undefined : open.map(({ text }) => text).join("; ");
}

function isJudged({ shares, figures, queries }: Gates): boolean {
  return Object.keys(shares).length + Object.keys(figures).length + queries.length > 0;
}
