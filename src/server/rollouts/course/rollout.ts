import type { Because } from "../cohorts/placing.ts";
import type { Answer, MemberFacts, RestFacts } from "../gates/evidence.ts";
import type { Finding } from "../gates/finding.ts";
import type { BreachedSince } from "../gates/judge.ts";
import type { Rates } from "../gates/rates.ts";
import type { Strategy } from "../strategy/strategy.ts";
import type { RolloutState } from "./state.ts";
import type { RolloutEventName } from "./transition.ts";

/** What travels: of which lane, and which one, by its hash in hexadecimal. */
export interface Change {
  readonly lane: string;
  readonly hash: string;
}

/** The stage that is under way. */
export interface StageBegun {
  readonly index: number;
  /** How many Agents it was to have that could be reached. */
  readonly wanted: number;
  readonly at: number;
  /** The Agents that the rollout had not reached then. */
  readonly rest: RestFacts | undefined;
}

/** A change on its way to those that a selector picks. Times are Unix milliseconds. */
export interface Rollout {
  readonly id: string;
  readonly change: Change;
  /** As text. */
  readonly selector: string;
  readonly strategy: Strategy;
  readonly createdAt: number;
  /** Whoever started it; cannot approve it. */
  readonly createdBy: string;
  readonly message: string;
  /** The rule whose reach it lets grow. */
  readonly rule: number;
  readonly state: RolloutState;
  readonly begun: StageBegun | undefined;
  readonly breachedSince: BreachedSince;
  /** Gates whose warnings a person has let pass in this stage. */
  readonly tolerated: readonly string[];
}

/** An Agent of a stage. It stays one whatever becomes of it. */
export interface Member {
  readonly id: string;
  readonly stage: number;
  readonly because: Because;
  /** When the rule came to apply to it; undefined while it waits for its turn. */
  readonly releasedAt: number | undefined;
  readonly offeredAt: number | undefined;
  readonly answer: Answer;
  readonly before: MemberFacts["before"] & {
    /** Hash of what it was to have, which is what it goes back to; undefined: nothing. */
    readonly hash: string | undefined;
    readonly rates: Rates | undefined;
  };
}

/** One line of a rollout's story: what was decided, by whom, and on which figures. */
export interface StoryEntry {
  readonly at: number;
  readonly event: RolloutEventName | "created" | "stage-begun" | "released";
  readonly stage: number | undefined;
  /** A person, or the server itself. */
  readonly by: string;
  readonly text: string;
  readonly findings: readonly Finding[];
}

/** Who decides where no person does. */
export const serverItself = "opamp-server";
