import { randomUUID } from "node:crypto";
import { parseSelector, type Selector } from "../../opamp/selector.ts";
import type { Agent, OfferKind } from "../fleet/agent.ts";
import { logWords } from "../offers/offering.ts";
import type { NewRule, Offered } from "../offers/rule.ts";
import { insertRules } from "../offers/rule-rows.ts";
import type { Database } from "../storage/database.ts";
import { type Place, planStages } from "./cohorts/plan.ts";
import type { Return } from "./course/rollback.ts";
import type { Rollout, StoryEntry } from "./course/rollout.ts";
import { firstState, type RolloutEvent } from "./course/transition.ts";
import { Driver, type DriverOptions, type Offers } from "./driver.ts";
import { candidateOf } from "./observe.ts";
import { isQuarantined, listQuarantined, type Quarantined } from "./quarantine.ts";
import type { Entry } from "./rollout-book.ts";
import { RolloutError } from "./rollout-error.ts";
import { StaleRolloutError } from "./rollout-rows.ts";
import type { Strategy } from "./strategy/strategy.ts";

/** What is to travel; a configuration and packages of one rollout go in one message. */
export type Content = {
  [Kind in OfferKind]: { kind: Kind; desired: Offered[Kind] };
}[OfferKind];

export interface NewRollout {
  contents: readonly Content[];
  selector: Selector;
  strategy: Strategy;
  /** Who starts it. */
  by: string;
  message: string;
  /** Of a preview, so that its cohorts are the same. */
  id?: string;
}

/** What a person may decide about a rollout. */
export type Decision = "approve" | "pause" | "resume" | "promote" | "abort" | "roll-back";

/** What came of a start. */
export interface Started {
  readonly rollout: Rollout;
  /** How many Agents its selector picks now. */
  readonly matched: number;
  /** Whom its first step offered it to. */
  readonly offers: Offers;
}

export interface RolloutsOptions extends DriverOptions {
  database: Database;
}

/** Of a decision that another server was in the way of. */
const attempts = 5;

/** Every change of the fleet on its way: in stages, judged, and back again where it hurts. */
export class Rollouts {
  readonly #options: RolloutsOptions;
  readonly #driver: Driver;

  constructor(options: RolloutsOptions) {
    this.#options = options;
    this.#driver = new Driver(options);
    this.#driver.start();
  }

  /** Newest first. */
  list(): Rollout[] {
    return this.#options.book.list();
  }

  /** @throws RolloutError */
  get(id: string): Entry {
    const entry = this.#options.book.get(id);
    if (entry === undefined) throw new RolloutError("no-such-rollout", `there is no rollout ${id}`);
    return entry;
  }

  story(id: string): Promise<StoryEntry[]> {
    return this.#options.book.story(this.get(id).rollout.id);
  }

  findings(id: string) {
    return this.#driver.verdictOn(id)?.findings ?? [];
  }

  quarantined(): Promise<Quarantined[]> {
    return listQuarantined(this.#options.database);
  }

  /**
   * Starts a rollout, and takes its first step before it resolves. One of the same kind that is under way and
   * reaches some of the same Agents ends: the newest wins.
   * @throws RolloutError when its hash is in quarantine.
   */
  async start(wish: NewRollout): Promise<Started> {
    return await this.#driver.exclusively(async () => {
      const { book, clock, database, rules } = this.#options;
      for (const { kind, desired } of wish.contents) {
        const found = await isQuarantined(database, kind, desired.hashHex);
        if (found !== undefined) throw new RolloutError("quarantined", describeQuarantine(found));
      }
      const now = clock.now();
      const id = wish.id ?? randomUUID();
      await this.#supersede(wish, id, now);
      const { by, message, strategy } = wish;
      const rollout: Rollout = {
        id,
        changes: [],
        selector: wish.selector.text,
        strategy,
        createdAt: now,
        createdBy: by,
        message,
        state: firstState(strategy, now),
        begun: undefined,
        isOpen: false,
        breachedSince: {},
        tolerated: [],
      };
      const bundle = wish.contents.length > 1 ? { bundle: id } : {};
      const newRules = wish.contents.map((content): NewRule => {
        const common = { selector: wish.selector, rolloutId: id, ...bundle };
        return { ...content, ...common };
      });
      const text = message === "" ? `started by strategy ${strategy.name}` : message;
      const story: StoryEntry = { at: now, event: "created", stage: undefined, by, text, findings: [] };
      const entry = await book.create(
        rollout,
        async (transaction) => {
          const numbers = await insertRules(transaction, newRules, now);
          return newRules.map(({ kind, desired }, index) => ({
            kind,
            hash: desired.hashHex,
            rule: numbers[index] as number,
          }));
        },
        [story],
      );
      await rules.written();
      const offers: Offers = new Map();
      await this.#driver.drive(entry, offers).catch(async (error: unknown) => {
        // The server that leads has gone on with it already.
        if (!(error instanceof StaleRolloutError)) throw error;
        await book.reload(id);
      });
      const matched = this.#options.fleet.list(wish.selector).length;
      for (const content of wish.contents) this.#logPush(wish, content, matched, offers);
      return { rollout: entry.rollout, matched, offers };
    });
  }

  /**
   * Does what a person decided.
   * @throws RolloutError when it makes no sense now, or is not this person's to decide.
   */
  async decide(id: string, decision: Decision, by: string, reason: string): Promise<Rollout> {
    return await this.#onTheNewest(async () => {
      await this.#options.book.reload(id);
      const entry = this.get(id);
      if (decision === "approve" && entry.rollout.createdBy === by) {
        throw new RolloutError(
          "forbidden",
          "a second person must approve: nobody approves a change of their own",
        );
      }
      const what: RolloutEvent = decision === "approve" ? { t: "approved" } : { t: decision, reason };
      const now = this.#options.clock.now();
      const findings = this.findings(id).filter(({ level }) => level === "warning" || level === "critical");
      const refused = await this.#driver.apply(entry, { what, by, text: reason, findings, now });
      if (refused !== undefined) throw new RolloutError("not-now", refused);
      return entry.rollout;
    });
  }

  /** How far each Agent that took it is on its way back; undefined when it is not taken back. */
  returns(id: string): ReadonlyMap<string, Return> | undefined {
    const entry = this.get(id);
    const { state } = entry.rollout;
    const backing = state.t === "paused" ? state.was : state;
    if (backing.t === "rolling-back") return this.#driver.returnsOf(entry, backing.since);
    // Who comes back to the server later is offered it then.
    return backing.t === "rolled-back" ? this.#driver.returnsOf(entry, 0) : undefined;
  }

  /** Who is in which stage, or would be; an Agent that is missing is in none. */
  places({ rollout, members }: Entry): ReadonlyMap<string, Place> {
    const agents = this.#options.fleet.list(parseSelector(rollout.selector));
    const candidates = agents.map((agent) => candidateOf(agent, rollout.changes));
    const nextStage = rollout.begun === undefined ? 0 : rollout.begun.index + 1;
    return planStages(rollout.id, rollout.strategy, candidates, members, nextStage);
  }

  /** In which stage an Agent is or will be, as far as can be told now, and why. */
  explain(id: string, agentId: string) {
    const entry = this.get(id);
    const { changes, selector, strategy } = entry.rollout;
    const agent = this.#options.fleet.get(agentId);
    const member = entry.members.get(agentId);
    const place = this.places(entry).get(agentId);
    const stageName = place === undefined ? null : (strategy.stages[place.stage]?.name ?? null);
    const blocked = agent === undefined ? undefined : candidateOf(agent, changes).blocked;
    const isPicked = agent !== undefined && parseSelector(selector).matches(agent);
    const released = member?.releasedAt !== undefined;
    return {
      id: agentId,
      stage: place?.stage ?? null,
      stage_name: stageName,
      because: place?.because ?? null,
      blocked: blocked ?? null,
      released,
      text: explanation({
        stageName,
        because: place?.because,
        blocked,
        isKnown: agent !== undefined,
        isPicked,
      }),
    };
  }

  /** Who would come into which stage, and who is blocked, if this were started under the id that is told. */
  preview({ contents, selector, strategy, id = randomUUID() }: Omit<NewRollout, "by" | "message">) {
    const { fleet, rules } = this.#options;
    const changes = contents.map(({ kind, desired }) => ({ kind, hash: desired.hashHex, rule: 0 }));
    const agents = fleet.list(selector);
    const candidates = agents.map((agent) => candidateOf(agent, changes));
    const hasNothing = (agent: Agent) =>
      changes.some(({ kind }) => rules.newestFor(kind, agent) === undefined);
    return {
      id,
      places: planStages(id, strategy, candidates),
      candidates,
      /** What could not be taken back from these: they have had nothing before. */
      nothingBelow: agents.filter(hasNothing).map((agent) => agent.id),
    };
  }

  /** Stops driving; what is under way goes on at the next start. */
  async close(): Promise<void> {
    await this.#driver.stop();
  }

  #logPush({ selector }: NewRollout, { kind, desired }: Content, matched: number, offers: Offers): void {
    const { prefix, hashField, noun } = logWords[kind];
    const offered = offers.get(kind)?.offered.length ?? 0;
    this.#options.log.info(
      {
        event: `${prefix}_pushed`,
        [hashField]: desired.hashHex,
        selector: selector.text,
        matched,
        offered,
      },
      `${noun} pushed`,
    );
  }

  /** Again on what another server has written meanwhile. */
  async #onTheNewest<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#driver.exclusively(work);
      } catch (error) {
        if (!(error instanceof StaleRolloutError) || attempt === attempts) throw error;
      }
    }
  }

  async #supersede({ contents, selector }: NewRollout, id: string, now: number): Promise<void> {
    const { book, fleet } = this.#options;
    const kinds = new Set(contents.map(({ kind }) => kind));
    const reached = fleet.list(selector);
    for (const entry of book.underWay()) {
      await book.reload(entry.rollout.id);
      const { rollout } = entry;
      if (rollout.state.t === "rolling-back" || !rollout.changes.some(({ kind }) => kinds.has(kind)))
        continue;
      const theirs = parseSelector(rollout.selector);
      const overlaps = theirs.text === selector.text || reached.some((agent) => theirs.matches(agent));
      if (!overlaps) continue;
      const what: RolloutEvent = { t: "superseded", by: id };
      const text = `rollout ${id} takes its place`;
      await this.#driver.apply(entry, { what, by: "opamp-server", text, findings: [], now });
    }
  }
}

function describeQuarantine({ hash, reason, rollout_id }: Quarantined): string {
  return `${hash} was rolled back by rollout ${rollout_id} (${reason}): to try it again is explicit, add reissue=true`;
}

interface Explained {
  stageName: string | null;
  because: Place["because"] | undefined;
  blocked: string | undefined;
  isKnown: boolean;
  isPicked: boolean;
}

const reasons: Readonly<Record<Place["because"], string>> = {
  canary: "its label deployment.canary=true puts it into the first stage",
  share: "its place in the order of this rollout falls into the stage's share",
  replacement: "it took the place of an agent that does not answer",
  late: "it came when the last stage had begun, which takes everybody",
};

function explanation({ stageName, because, blocked, isKnown, isPicked }: Explained): string {
  if (because !== undefined) return `stage ${stageName}: ${reasons[because]}`;
  if (!isKnown) return "no agent of that instance UID was heard so far";
  if (!isPicked) return "the rollout's selector does not pick it";
  return blocked === undefined ? "the rollout came to an end before its stage" : `is blocked: it ${blocked}`;
}
