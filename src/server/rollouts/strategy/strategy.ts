import type { Selector } from "../../../opamp/selector.ts";
import type { Gates } from "./gates.ts";

/** How many of those a stage's selector picks have it when the stage is released, all earlier ones included. */
export type StageSize = { t: "share"; share: number } | { t: "count"; count: number };

/** One step of a rollout. */
export interface Stage {
  readonly name: string;
  /** Within the Agents of the rollout. */
  readonly selector: Selector;
  readonly size: StageSize;
  /** How long it is watched once all have answered, in milliseconds. */
  readonly dwellMs: number;
  /** How many may have been offered it without having answered yet; undefined: all at once. */
  readonly maxUnderWay: number | undefined;
  /** False: the rollout waits for a person before it goes on to this stage. */
  readonly autoAdvance: boolean;
  readonly gates: Gates;
}

/** How a change reaches a fleet. The last stage is always everybody. */
export interface Strategy {
  readonly name: string;
  readonly description: string;
  readonly stages: readonly Stage[];
  /** How long an Agent that was offered it may take to answer before it counts as silent, in milliseconds. */
  readonly answerBudgetMs: number;
  /** Of the Agents a stage adds, how many must have answered before it can pass. */
  readonly minimumAnswers: number;
  readonly onBreach: "roll_back" | "pause";
  /** How many versions back a rollback looks for one that may run. */
  readonly maxRollbackDepth: number;
  /** Whether a second person must approve before it starts. */
  readonly approval: boolean;
  /** What it was read from, as JSON; reads back to the same strategy. */
  readonly document: StrategyDocument;
}

/** A strategy as people write it; {@link parseStrategy} says what is wrong with one. */
export type StrategyDocument = Readonly<Record<string, unknown>>;
