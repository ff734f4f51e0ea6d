import type { Gates, ShareGate, ShareGateName } from "../strategy/gates.ts";
import { shareGateNames } from "../strategy/gates.ts";
import { type Evidence, isSilent, type MemberFacts, type RestFacts } from "./evidence.ts";
import { type Finding, levelBy, percent } from "./finding.ts";
import { isAbove } from "./statistics.ts";

export interface JudgingContext {
  readonly gates: Gates;
  readonly answerBudgetMs: number;
  /** Unix milliseconds. */
  readonly now: number;
}

interface Counting {
  /** Who is asked. */
  readonly among: (member: MemberFacts, context: JudgingContext) => boolean;
  /** Of whom it is true. */
  readonly holds: (member: MemberFacts, context: JudgingContext) => boolean;
  readonly words: string;
  readonly amongWords: string;
  /** A single host that is off says nothing about the change: fewer than these are no breach. */
  readonly atLeast: number;
  /** What befell the rest of the fleet since the stage began is taken off. */
  readonly ofRest?: (rest: RestFacts) => number;
}

const answered = ({ answer }: MemberFacts) => answer.t !== "none";
const applied = ({ answer }: MemberFacts) => answer.t === "applied";
const offered = ({ offeredAt }: MemberFacts) => offeredAt !== undefined;

const countings: Readonly<Record<ShareGateName, Counting>> = {
  failed: {
    among: answered,
    holds: ({ answer }) => answer.t === "failed",
    words: "FAILED",
    amongWords: "that answered",
    atLeast: 1,
  },
  crash_looping: {
    among: (member) => offered(member) && !member.before.crashLooping,
    holds: ({ crashLooping }) => crashLooping,
    words: "are crash-looping",
    amongWords: "that were offered it",
    atLeast: 1,
    ofRest: (rest) => rest.crashLooping,
  },
  unhealthy: {
    among: (member) => applied(member) && member.before.healthy !== false && member.healthy !== undefined,
    holds: ({ healthy }) => healthy === false,
    words: "are unhealthy",
    amongWords: "that applied it and were healthy before",
    atLeast: 1,
    ofRest: (rest) => rest.unhealthy,
  },
  disconnected: {
    among: offered,
    holds: (member) => answered(member) && !member.reachable,
    words: "are disconnected",
    amongWords: "that were offered it",
    atLeast: 2,
    ofRest: (rest) => rest.disconnected,
  },
  other_hash: {
    among: applied,
    holds: ({ runsOther }) => runsOther,
    words: "run something else",
    amongWords: "that said they applied it",
    atLeast: 1,
  },
  silent: {
    among: offered,
    holds: (member, { now, answerBudgetMs }) => isSilent(member, now, answerBudgetMs),
    words: "do not answer",
    amongWords: "that were offered it",
    atLeast: 2,
    ofRest: (rest) => rest.disconnected,
  },
};

/** What the gates that count Agents say. */
export function judgeShares(evidence: Evidence, context: JudgingContext): Finding[] {
  return shareGateNames.flatMap((name) => {
    const gate = context.gates.shares[name];
    return gate === undefined ? [] : [judgeShare(name, gate, evidence, context)];
  });
}

function judgeShare(
  name: ShareGateName,
  { thresholds }: ShareGate,
  evidence: Evidence,
  context: JudgingContext,
): Finding {
  const { among, holds, words, amongWords, atLeast, ofRest } = countings[name];
  const asked = evidence.members.filter((member) => among(member, context));
  const sample = asked.length;
  const count = asked.filter((member) => holds(member, context)).length;
  if (sample === 0) {
    const nobody = evidence.members.some(answered) ? ("not_applicable" as const) : ("no_evidence" as const);
    return { gate: name, level: nobody, sample, text: `${name}: there is no agent ${amongWords}` };
  }
  const alsoRest = ofRest === undefined ? 0 : increaseInRest(evidence, ofRest);
  const { level, threshold } = levelBy(
    thresholds,
    (each) => count >= atLeast && isAbove(count, sample, each + alsoRest, context.gates.confidence),
  );
  const besides = alsoRest > 0 ? `; ${percent(alsoRest)} more than before in the rest of the fleet` : "";
  const text = `${name}: ${count} of ${sample} ${amongWords} ${words} (${percent(count / sample)}; ${level === "ok" ? "threshold" : level} ${threshold === undefined ? "none" : percent(threshold)}${besides})`;
  return { gate: name, level, figure: count / sample, threshold, sample, count, text };
}

function increaseInRest({ rest, restBefore }: Evidence, figure: (rest: RestFacts) => number): number {
  if (rest === undefined || restBefore === undefined || rest.agents === 0) return 0;
  return Math.max(0, figure(rest) - figure(restBefore));
}
