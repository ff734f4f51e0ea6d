import * as z from "zod/mini";
import type { Logger } from "../../../foundation/logger.ts";
import type { Failure } from "../../change/change.ts";
import { faultHash, type Reference } from "../../change/configuration-book.ts";
import {
  chooseRollback,
  hashOf,
  type KnownConfigurations,
  type Rollback,
  rollbackReason,
} from "../../change/rollback.ts";
import { Refusal } from "./refusal.ts";

/** Longer ones do not fit a line that somebody reads. */
export const maxReasonLength = 300;

/** Answer of `GET /v1/rollback`, what a rollback would do, and of `POST /v1/rollback/ID`, what was done. */
export type RollbackPlan = z.infer<ReturnType<typeof makeRollbackPlanSchema>>;

/** Made by whoever reads one. */
export const makeRollbackPlanSchema = () => {
  const side = z.object({
    /** Of the snapshot; null where the order was to run no Collector. */
    id: z.nullable(z.string()),
    /** config_hash of the server, or the content's where nothing of the server's is in it. */
    hash: z.string(),
    /** What had brought it: remote, local, packages, remote+packages. */
    cause: z.string(),
    packages: z.nullable(z.string()),
  });
  return z.object({
    from: side,
    to: side,
    /** What is refused from then on, as `quarantine clear` takes it. */
    quarantines: z.string(),
  });
};

/** @throws Refusal when there is nothing to go back to. */
export function planRollback(book: KnownConfigurations, wanted: string | undefined): RollbackPlan {
  return describeRollback(pickRollback(book, { wanted }));
}

/**
 * What is gone back to. `fromId` is the snapshot that the operator saw run.
 * @throws Refusal
 */
export function pickRollback(
  book: KnownConfigurations,
  { wanted, fromId }: { wanted: string | undefined; fromId?: string | null },
): Rollback {
  const choice = chooseRollback(book, wanted);
  if ("refused" in choice) throw new Refusal(409, choice.refused);
  if (fromId !== undefined && choice.from.id !== fromId) {
    throw new Refusal(409, "another configuration has come to run meanwhile: look again with status");
  }
  return choice;
}

export function describeRollback({ from, to }: Rollback): RollbackPlan {
  const side = (reference: Reference) => {
    const { id, cause, packages } = reference;
    return { id, hash: hashOf(reference), cause, packages };
  };
  return { from: side(from), to: side(to), quarantines: faultHash(from) };
}

export interface RollbackCommandDeps {
  book: KnownConfigurations;
  logger: Logger;
  /** On the road; resolves to why it was not kept. */
  rollBack: (rollback: Rollback & { reason: string }) => Promise<Failure | undefined>;
  mask: (text: string) => string;
}

/** The rollbacks of a running supervisor, one at a time. */
export class RollbackCommand {
  readonly #deps: RollbackCommandDeps;
  #underWay = false;

  constructor(deps: RollbackCommandDeps) {
    this.#deps = deps;
  }

  /**
   * Goes back from what runs to `wanted`, or to what ran before it.
   * @throws Refusal when it cannot be done or failed: then what ran goes on.
   */
  async run(
    fromId: string | null,
    { wanted, text }: { wanted: string | undefined; text: string },
  ): Promise<RollbackPlan> {
    const { book, logger, mask } = this.#deps;
    if (text.length > maxReasonLength) {
      throw new Refusal(400, `the reason is longer than ${maxReasonLength} characters`);
    }
    if (this.#underWay) throw new Refusal(409, "another rollback is under way");
    const rollback = pickRollback(book, { wanted, fromId });
    const reason = mask(rollbackReason(text));
    const fields = { from: hashOf(rollback.from), to: hashOf(rollback.to), reason };
    logger.info({ event: "operator_command", command: "rollback", ...fields }, "an operator rolls back");
    this.#underWay = true;
    try {
      const failure = await this.#deps.rollBack({ ...rollback, reason });
      if (failure !== undefined) {
        throw new Refusal(409, `not rolled back, what ran before goes on: ${failure.reason}`);
      }
      return describeRollback(rollback);
    } finally {
      this.#underWay = false;
    }
  }
}
