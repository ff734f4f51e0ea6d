import type { Clock, Timer } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import { parseSelector, type Selector } from "../../opamp/selector.ts";
import type { Agent, OfferKind } from "../fleet/agent.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { Offering, OfferTally } from "../offers/offering.ts";
import type { RuleBook } from "../offers/rule-book.ts";
import { collectEvidence, refreshedMembers } from "./collect-evidence.ts";
import { advance } from "./course/advance.ts";
import { applyEvent, applyStep, type Happening, type Outcome } from "./course/apply.ts";
import { type Return, rollbackProgress } from "./course/rollback.ts";
import { type Member, type Rollout, serverItself } from "./course/rollout.ts";
import type { RollingBack } from "./course/state.ts";
import { FigureHistory } from "./figure-history.ts";
import type { QueryResult } from "./gates/evidence.ts";
import type { Verdict } from "./gates/judge.ts";
import { burdenOf, candidateOf } from "./observe.ts";
import type { Prometheus } from "./prometheus.ts";
import { returnOf } from "./returns.ts";
import type { Entry, RolloutBook } from "./rollout-book.ts";
import { StaleRolloutError } from "./rollout-rows.ts";

export interface DriverOptions {
  book: RolloutBook;
  fleet: Fleet;
  rules: RuleBook;
  offering: Offering;
  prometheus: Pick<Prometheus, "ask">;
  clock: Clock;
  log: Logger;
  /** Whether this replica is the one that drives rollouts. */
  leads: () => boolean;
}

/** Whom something was offered to, by kind. */
export type Offers = Map<OfferKind, OfferTally>;

const tickMs = 1_000;
/** It rests this many times as long as it worked. */
const restFactor = 5;
/** How long Agents may take to come back after a start of the server. */
const gatheringMs = 60_000;
const queryEveryMs = 10_000;
/** A rollout that changes more often than this at one moment is stuck in a circle. */
const maxSteps = 50;

/** Drives every rollout that is under way: once a second, and at once when a person decides. */
export class Driver {
  readonly #options: DriverOptions;
  readonly #history = new FigureHistory();
  readonly #queries = new Map<string, Record<string, QueryResult>>();
  readonly #askedAt = new Map<string, number>();
  readonly #verdicts = new Map<string, Verdict>();
  readonly #startedAt: number;
  #timer: Timer | undefined;
  /** One thing at a time: a decision is made on what the last one wrote. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: DriverOptions) {
    this.#options = options;
    this.#startedAt = options.clock.now();
  }

  /** `restMs`: how long it rests before the next look at everything. */
  start(restMs = tickMs): void {
    const { clock } = this.#options;
    this.#timer = clock.setTimer(restMs, () => {
      let tookMs = 0;
      void this.exclusively(async () => {
        // What it waited for, such as a push to everybody, is no work of its own.
        const began = clock.monotonic();
        await this.#tick().finally(() => {
          tookMs = clock.monotonic() - began;
        });
      })
        .catch((error: unknown) => this.#logFailure("all", error))
        .finally(() => {
          // A large fleet takes its time, and Agents are to be heard meanwhile.
          if (this.#timer !== undefined) this.start(Math.max(tickMs, restFactor * tookMs));
        });
    });
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    await this.#last;
  }

  /** Runs `work` when nothing else decides on a rollout. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }

  /** What the gates said last of a rollout under way. */
  verdictOn(id: string): Verdict | undefined {
    return this.#verdicts.get(id);
  }

  /** How far each Agent that was released is on its way back, which began at `since`. */
  returnsOf({ rollout, members }: Entry, since: number): Map<string, Return> {
    const { clock, fleet, rules } = this.#options;
    const now = clock.now();
    const hashFor = (kind: OfferKind, agent: Agent) => rules.newestFor(kind, agent)?.desired.hashHex;
    return new Map(
      [...members.values()].flatMap((member) => {
        if (member.releasedAt === undefined) return [];
        const agent = fleet.get(member.id);
        const away: Return = { t: "away" };
        const back = agent === undefined ? away : returnOf(agent, member, { rollout, hashFor, since, now });
        return [[member.id, back] as const];
      }),
    );
  }

  /** Applies what a person decided, or says why it makes no sense; then drives on. Only within exclusively(). */
  async apply(entry: Entry, happening: Happening): Promise<string | undefined> {
    const outcome = applyEvent(entry.rollout, happening);
    if ("refused" in outcome) return outcome.refused;
    await this.#commit(entry, outcome);
    await this.drive(entry).catch(async (error: unknown) => {
      // What was decided is written; the server that leads has gone on with it already.
      if (!(error instanceof StaleRolloutError)) throw error;
      await this.#options.book.reload(entry.rollout.id);
    });
    return undefined;
  }

  /** Takes every step that can be taken now, and notes whom it was offered to. Only within exclusively(). */
  async drive(entry: Entry, offers: Offers = new Map()): Promise<void> {
    for (let step = 0; step < maxSteps; step += 1) {
      const { state } = entry.rollout;
      const hasStage = state.t === "running" || (state.t === "paused" && state.was.t === "running");
      const again = hasStage
        ? await this.#advance(entry, offers)
        : state.t === "rolling-back" && (await this.#goBack(entry, state));
      if (!again) return;
    }
    throw new Error(`rollout ${entry.rollout.id} does not settle`);
  }

  async #tick(): Promise<void> {
    const { book, clock, fleet, leads } = this.#options;
    const now = clock.now();
    for (const agent of fleet.list()) this.#history.note(agent, now);
    if (!leads()) return;
    for (const entry of book.underWay()) {
      try {
        this.#askQueries(entry.rollout, now);
        await this.drive(entry);
      } catch (error) {
        // The others go on; this one is tried again at the next tick.
        if (error instanceof StaleRolloutError) await book.reload(entry.rollout.id);
        else this.#logFailure(entry.rollout.id, error);
      }
    }
  }

  async #advance(entry: Entry, offers: Offers): Promise<boolean> {
    const { clock, fleet } = this.#options;
    const { rollout, members } = entry;
    const now = clock.now();
    const agents = fleet.list(selectorOf(rollout));
    const agentOf = (id: string) => fleet.get(id);
    if (this.#isGathering(members, now)) return false;
    const refreshed = refreshedMembers(rollout, members, agentOf, now);
    const current = new Map([...members, ...refreshed.map((each) => [each.id, each] as const)]);
    const queries = this.#queries.get(rollout.id) ?? {};
    const history = this.#history;
    const evidence = collectEvidence({ rollout, members: current, agents, agentOf, history, queries });
    const candidates = agents.map((agent) => candidateOf(agent, rollout.changes));
    const step = advance({ rollout, candidates, members: current, evidence, now });
    this.#verdicts.set(rollout.id, step.verdict);
    const outcome = applyStep(rollout, current, step, { now, beforeOf: (id) => this.#beforeOf(rollout, id) });
    const changed = new Map(
      [...refreshed, ...outcome.members].map((member): [string, Member] => [member.id, member]),
    );
    const decides = outcome.reach.length + outcome.story.length > 0 || step.begun !== undefined;
    if (!decides && changed.size === 0 && sameBreaches(rollout, outcome.rollout)) return false;
    await this.#commit(entry, { ...outcome, members: [...changed.values()] }, offers);
    return decides;
  }

  /** After a start of the server nothing is decided before everybody was heard, or had the time to come back. */
  #isGathering(members: ReadonlyMap<string, Member>, now: number): boolean {
    if (now - this.#startedAt >= gatheringMs) return false;
    const { fleet } = this.#options;
    return [...members.values()].some(({ id, offeredAt }) => {
      const lastSeen = fleet.get(id)?.lastSeen ?? Number.NEGATIVE_INFINITY;
      return offeredAt !== undefined && offeredAt < this.#startedAt && lastSeen < this.#startedAt;
    });
  }

  async #goBack(entry: Entry, { since }: RollingBack): Promise<boolean> {
    const { clock } = this.#options;
    const { rollout, members } = entry;
    const now = clock.now();
    if (this.#isGathering(members, now)) return false;
    const gates = rollout.strategy.stages.at(-1)?.gates;
    if (gates === undefined) return false;
    const { event } = rollbackProgress(this.returnsOf(entry, since), gates);
    if (event === undefined) return false;
    const outcome = applyEvent(rollout, { ...event, by: serverItself, findings: [], now });
    if ("refused" in outcome) throw new Error(outcome.refused);
    await this.#commit(entry, outcome);
    return true;
  }

  /** Writes a decision, and offers what it changes. */
  async #commit(entry: Entry, outcome: Outcome, offers: Offers = new Map()): Promise<void> {
    const { book, fleet, offering, rules } = this.#options;
    // Where everybody gets it nobody waits for the list of members; lost, it is made again.
    const isOpening = outcome.reach.some(({ t }) => t === "everybody");
    await book.commit(entry, isOpening ? { ...outcome, members: [] } : outcome);
    if (outcome.reach.length === 0) return;
    await rules.written();
    const kinds = outcome.rollout.changes.map(({ kind }) => kind);
    const extended = outcome.reach.flatMap((each) => (each.t === "extend" ? each.ids : []));
    const isWide = outcome.reach.some(({ t }) => t !== "extend");
    const agents = isWide
      ? fleet.list(selectorOf(outcome.rollout))
      : extended.flatMap((id) => fleet.get(id) ?? []);
    for (const [kind, tally] of await offering.offerDue(kinds, agents)) {
      const { offered = [], pending = [], skipped = [] } = offers.get(kind) ?? {};
      offers.set(kind, {
        offered: [...offered, ...tally.offered],
        pending: [...pending, ...tally.pending],
        skipped: [...skipped, ...tally.skipped],
      });
    }
    if (isOpening && outcome.members.length > 0) {
      await book.commit(entry, { ...outcome, reach: [], story: [] });
    }
  }

  #beforeOf({ changes }: Rollout, id: string): Member["before"] {
    const { fleet, rules } = this.#options;
    const agent = fleet.get(id);
    if (agent === undefined) return { healthy: undefined, crashLooping: false, hashes: {}, rates: undefined };
    const hashes = changes.flatMap(({ kind }) => {
      const hash = rules.newestFor(kind, agent)?.desired.hashHex;
      return hash === undefined ? [] : [[kind, hash] as const];
    });
    return { ...burdenOf(agent), hashes: Object.fromEntries(hashes), rates: this.#history.rates(id) };
  }

  /** Nothing waits for an answer: a result that is not there, or too old, is no evidence. */
  #askQueries({ id, state, strategy }: Rollout, now: number): void {
    const running = state.t === "paused" ? state.was : state;
    if (running.t !== "running") return;
    if (now - (this.#askedAt.get(id) ?? Number.NEGATIVE_INFINITY) < queryEveryMs) return;
    this.#askedAt.set(id, now);
    const results = this.#queries.get(id) ?? {};
    this.#queries.set(id, results);
    for (const { name, query } of strategy.stages[running.stage]?.gates.queries ?? []) {
      void this.#options.prometheus.ask(query).then((result) => {
        results[name] = result;
      });
    }
  }

  #logFailure(rollout: string, error: unknown): void {
    const fields = { event: "rollout_failed", rollout, error: describeError(error) };
    this.#options.log.error(fields, "a rollout could not be driven; tried again in a second");
  }
}

function selectorOf({ selector }: Rollout): Selector {
  return parseSelector(selector);
}

function sameBreaches(a: Rollout, b: Rollout): boolean {
  return JSON.stringify(a.breachedSince) === JSON.stringify(b.breachedSince);
}
