import { randomUUID } from "node:crypto";
import type { Selector } from "../../opamp/selector.ts";
import { reissued } from "../configurations/configuration.ts";
import { configurationRows } from "../configurations/configuration-rows.ts";
import type { Agent } from "../fleet/agent.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { RuleBook } from "../offers/rule-book.ts";
import type { Database } from "../storage/database.ts";
import { candidateOf } from "./observe.ts";
import { isQuarantined } from "./quarantine.ts";
import { RolloutError } from "./rollout-error.ts";
import type { Rollouts } from "./rollouts.ts";
import type { Strategy } from "./strategy/strategy.ts";

export interface GoBackOptions {
  rollouts: Rollouts;
  rules: RuleBook;
  fleet: Fleet;
  database: Database;
}

export interface GoBackWish {
  selector: Selector;
  /** A configuration's hash in hexadecimal, or what ran before. */
  to: "previous" | { hash: string };
  /** In what stages, when it is a rollout of its own. */
  strategy: Strategy;
  by: string;
  reason: string;
}

/** What a wish to go back has come to. */
export interface WentBack {
  /** Rollouts that are now rolling back, or bring the old version. */
  readonly rollouts: readonly string[];
  readonly matched: number;
  /** Of what they go back to; undefined: each falls to its own. */
  readonly hash: string | undefined;
}

/**
 * Takes the Agents of a selector back to an earlier configuration. Where the version to leave reached nobody
 * else, its rule is withdrawn and each Agent falls to its own version before; else the old version is brought
 * by a rollout of its own.
 * @throws RolloutError when there is nothing to go back to.
 */
export async function goBack(options: GoBackOptions, wish: GoBackWish): Promise<WentBack> {
  const agents = options.fleet.list(wish.selector);
  if (agents.length === 0) throw new RolloutError("not-now", "the selector picks no agent");
  if (wish.to !== "previous") return await bringBack(options, wish, wish.to.hash, agents);
  const withdrawable = whatToWithdraw(options, wish, agents);
  if (withdrawable !== undefined) {
    for (const id of withdrawable) await options.rollouts.decide(id, "roll-back", wish.by, wish.reason);
    return { rollouts: withdrawable, matched: agents.length, hash: undefined };
  }
  const hashes = new Set<string>();
  for (const agent of agents) {
    const hash = await previousOf(options, agent, wish.strategy.maxRollbackDepth);
    if (hash !== undefined) hashes.add(hash);
  }
  const [hash, other] = hashes;
  if (hash === undefined) {
    const depth = wish.strategy.maxRollbackDepth;
    throw new RolloutError(
      "not-now",
      `none of the last ${depth} versions can be gone back to: name config_hash`,
    );
  }
  if (other !== undefined) {
    const list = [...hashes].join(", ");
    throw new RolloutError(
      "not-now",
      `these agents had different versions before (${list}): narrow the selector`,
    );
  }
  return await bringBack(options, wish, hash, agents);
}

/** The rollouts of what these Agents have now, if nobody else has it and there is something below for each. */
function whatToWithdraw(
  { fleet, rollouts, rules }: GoBackOptions,
  { selector }: GoBackWish,
  agents: readonly Agent[],
): string[] | undefined {
  const current = new Set(agents.flatMap((agent) => rules.allFor("configuration", agent)[0]?.number ?? []));
  const hasBelow = agents.every((agent) => rules.allFor("configuration", agent).length !== 1);
  const isElsewhere = fleet
    .list()
    .some(
      (agent) =>
        !selector.matches(agent) && current.has(rules.allFor("configuration", agent)[0]?.number ?? -1),
    );
  if (current.size === 0 || !hasBelow || isElsewhere) return undefined;
  const found = rollouts.list().filter(({ changes }) => changes.some(({ rule }) => current.has(rule)));
  const canGoBack = found.every(({ state }) => ["running", "paused", "done", "aborted"].includes(state.t));
  return found.length === current.size && canGoBack ? found.map(({ id }) => id) : undefined;
}

/** The newest version below what an Agent is to have that is not in quarantine. */
async function previousOf({ database, rules }: GoBackOptions, agent: Agent, depth: number) {
  const [current, ...below] = rules.allFor("configuration", agent);
  for (const { desired } of below.slice(0, depth)) {
    if (desired.hashHex === current?.desired.hashHex) continue;
    if ((await isQuarantined(database, "configuration", desired.hashHex)) === undefined)
      return desired.hashHex;
  }
  return undefined;
}

/** By a rollout of its own; under a new hash where the old one would not be taken any more. */
async function bringBack(
  { database, rollouts }: GoBackOptions,
  { selector, strategy, by, reason }: GoBackWish,
  hash: string,
  agents: readonly Agent[],
): Promise<WentBack> {
  const stored = await configurationRows.load(database.query, hash);
  if (stored === undefined)
    throw new RolloutError("no-such-configuration", `no configuration ${hash} was ever pushed`);
  const isBarred =
    (await isQuarantined(database, "configuration", hash)) !== undefined ||
    agents.some((agent) => {
      const { blocked } = candidateOf(agent, [{ kind: "configuration", hash, rule: 0 }]);
      return blocked?.includes("this very hash") ?? false;
    });
  const desired = isBarred ? reissued(stored, randomUUID()) : stored;
  const { rollout, matched } = await rollouts.start({
    contents: [{ kind: "configuration", desired }],
    selector,
    strategy,
    by,
    message: reason,
  });
  return { rollouts: [rollout.id], matched, hash: desired.hashHex };
}
