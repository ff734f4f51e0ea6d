import type { OfferKind } from "../../fleet/agent.ts";
import type { Because } from "../cohorts/placing.ts";
import type { Answer, MemberFacts, RestFacts } from "../gates/evidence.ts";
import type { Finding } from "../gates/finding.ts";
import type { BreachedSince } from "../gates/judge.ts";
import type { Rates } from "../gates/rates.ts";
import type { Strategy } from "../strategy/strategy.ts";
import type { RolloutState } from "./state.ts";
import type { RolloutEventName } from "./transition.ts";

/** What travels: of which kind, and which one, by its hash in hexadecimal. */
export interface Change {
  readonly kind: OfferKind;
  readonly hash: string;
  /** Number of the rule whose reach the rollout lets grow. */
  readonly rule: number;
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
  /** One, or a configuration and packages that go together. */
  readonly changes: readonly Change[];
  /** As text. */
  readonly selector: string;
  readonly strategy: Strategy;
  readonly createdAt: number;
  /** Whoever started it; cannot approve it. */
  readonly createdBy: string;
  readonly message: string;
  readonly state: RolloutState;
  readonly begun: StageBegun | undefined;
  /** Whether its rules apply to all that the selector picks, and no longer to its members only. */
  readonly isOpen: boolean;
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
    /** Hashes of what it was to have, which is what it goes back to; a kind that is missing: nothing. */
    readonly hashes: Readonly<Partial<Record<OfferKind, string>>>;
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
