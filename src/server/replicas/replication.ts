import type { Clock, Timer } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { Agent, Connection } from "../fleet/agent.ts";
import { type Fleet, isHere } from "../fleet/fleet.ts";
import { readAgents, withoutDead } from "../fleet/fleet-reader.ts";
import type { FleetWriter } from "../fleet/fleet-writer.ts";
import type { Offering } from "../offers/offering.ts";
import type { RuleBook } from "../offers/rule-book.ts";
import type { Database } from "../storage/database.ts";
import { type Outgoing, parseReplicaMessage, type ReplicaMessage } from "./channel.ts";
import { Membership } from "./membership.ts";
import { RemoteClaims } from "./remote-claims.ts";

export interface ReplicationOptions {
  database: Database & { messages: NonNullable<Database["messages"]> };
  clock: Clock;
  log: Logger;
  replica: string;
  fleet: Fleet;
  writer: FleetWriter;
  rules: RuleBook;
  offering: Pick<Offering, "offerDue">;
  /** Whether a connection of this replica speaks for the Agent and is alive. */
  holds: (agent: string) => Promise<boolean>;
  restart: (agent: Agent) => void;
  /** Takes over which Agents the rollouts of other servers have reached. */
  followRollouts: () => Promise<void>;
  /** Of the counter `agents`, when the fleet was read. */
  revision: number;
}

/** How often the database is asked for what others wrote, while they are heard, and while they are not. */
const checkEveryMs = 30_000;
const pollEveryMs = 2_000;
const agentsAtATime = 100;

/** Keeps what this replica knows of the others' Agents and rules up to date, and speaks for it to them. */
export class Replication {
  readonly #options: ReplicationOptions;
  readonly #membership: Membership;
  readonly #claims: RemoteClaims;
  readonly #listening: ReturnType<ReplicationOptions["database"]["messages"]["listen"]>;
  #revision: number;
  #following: Promise<void> = Promise.resolve();
  #again = false;
  /** By another replica, since rules were last read. */
  #rulesWritten = false;
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: ReplicationOptions) {
    this.#options = options;
    this.#revision = options.revision;
    const { clock, database, fleet, log, replica, writer } = options;
    const here = () => fleet.list().filter(({ presence }) => isHere(presence));
    this.#membership = new Membership({
      database,
      clock,
      log,
      replica,
      onRevived: () => {
        for (const agent of here()) writer.noted(agent);
      },
      onDead: () => this.#followAll(),
    });
    this.#claims = new RemoteClaims({
      clock,
      send: (message) => this.send(message),
      holds: async (id) => {
        const held = await options.holds(id);
        if (!held) await writer.flush();
        return held;
      },
    });
    this.#listening = database.messages.listen({
      onMessage: (text) => this.#receive(text),
      onGap: () => {
        this.#rulesWritten = true;
        this.#followAll();
      },
    });
  }

  /** Joins the other replicas. */
  async start(): Promise<void> {
    await this.#membership.start();
    this.#dropDead();
    this.#schedule();
  }

  /** Tells the others; what cannot be sent is found when they look by themselves. */
  send(message: Outgoing): void {
    const { database, log, replica } = this.#options;
    database.messages.send(JSON.stringify({ ...message, from: replica })).catch((error: unknown) => {
      const fields = { event: "replica_message_lost", error: describeError(error) };
      log.debug(fields, "the other servers could not be told");
    });
  }

  /**
   * Before an Agent that is not connected here is heard: what is stored of it is taken over.
   * Resolves to false when it is connected to another replica, by a connection that is alive.
   */
  async mayTake(id: string): Promise<boolean> {
    const before = await this.#freshen(id);
    if (before?.presence.t !== "elsewhere" || before.transport === "http") return true;
    const { replica } = before.presence;
    if (!this.#membership.mayBeAlive(replica)) return true;
    if (await this.#claims.isHeldBy(replica, id)) return false;
    // It may have stored more when it was asked.
    await this.#freshen(id);
    return true;
  }

  /** Leaves at once. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#listening.close();
    await this.#following;
    await this.#membership.close();
  }

  async #freshen(id: string): Promise<Agent | undefined> {
    const { database, fleet } = this.#options;
    const [stored] = await readAgents(database.query, [id], (uid) => fleet.get(uid));
    this.#adopt(stored);
    return fleet.get(id);
  }

  #adopt(stored: Agent | undefined): void {
    const { fleet, replica } = this.#options;
    if (stored === undefined) return;
    const presence = fleet.get(stored.id)?.presence;
    if (stored.presence.t !== "elsewhere") {
      // What this replica knows of its own is newer than what is stored.
      if (presence === undefined || !isHere(presence)) fleet.adopt(stored);
      return;
    }
    if (stored.presence.replica === replica) return;
    if (presence?.t === "websocket") this.#settle(stored, presence.connection, stored.presence.replica);
    else fleet.adopt(stored);
  }

  /** Two replicas hold a WebSocket of one Agent; one closes it, and who comes back is asked for in the usual way. */
  #settle(stored: Agent, connection: Connection, other: string): void {
    const { fleet, log, replica, writer } = this.#options;
    const known = fleet.get(stored.id);
    if (known !== undefined && replica < other) {
      writer.noted(known);
      return;
    }
    log.warn(
      { event: "duplicate_instance_uid", agent_id: stored.id, replica: other },
      "also connected elsewhere",
    );
    fleet.connectionClosed(connection, "is connected to another server");
    connection.close(1001, "this instance UID is connected to another server");
    fleet.adopt(stored);
  }

  /** Who is said to be connected to a replica that is none any longer. */
  #dropDead(): void {
    const { fleet } = this.#options;
    for (const agent of fleet.list()) {
      const current = withoutDead(agent, (replica) => this.#membership.isAlive(replica));
      if (current !== agent) fleet.adopt(current);
    }
  }

  #receive(text: string): void {
    const message = parseReplicaMessage(text);
    const { replica } = this.#options;
    if (message === undefined || message.from === replica) return;
    if ("to" in message && message.to !== replica) return;
    this.#claims.take(message);
    this.#act(message);
  }

  #act(message: ReplicaMessage): void {
    switch (message.t) {
      case "rules":
        this.#rulesWritten = true;
        this.#followAll();
        return;
      case "agents":
        this.#followAll();
        return;
      case "restart": {
        const agent = this.#options.fleet.get(message.agent);
        if (agent !== undefined) this.#options.restart(agent);
        return;
      }
      case "claim":
      case "claim-seen":
      case "claim-answer":
    }
  }

  #schedule(): void {
    const { connected } = this.#listening;
    this.#timer = this.#options.clock.setTimer(connected ? checkEveryMs : pollEveryMs, () => {
      // Nobody can say so now.
      this.#rulesWritten ||= !connected;
      this.#followAll();
      this.#schedule();
    });
  }

  /** One pass after the other; what comes during one is for the next. */
  #followAll(): void {
    if (this.#closed || this.#again) return;
    this.#again = true;
    this.#following = this.#following.then(async () => {
      this.#again = false;
      try {
        await this.#followRules();
        await this.#followAgents();
      } catch (error) {
        const fields = { event: "replication_failed", error: describeError(error) };
        this.#options.log.warn(fields, "what other servers wrote could not be read");
      }
    });
  }

  async #followRules(): Promise<void> {
    const { followRollouts, offering, rules } = this.#options;
    const told = this.#rulesWritten;
    this.#rulesWritten = false;
    try {
      await followRollouts();
      const kinds = await rules.refresh();
      // A rollout can have come further without any other change to a rule.
      if (told || kinds.size > 0) await offering.offerDue();
    } catch (error) {
      this.#rulesWritten ||= told;
      throw error;
    }
  }

  async #followAgents(): Promise<void> {
    const { database, fleet, replica } = this.#options;
    const rows = await database.query
      .selectFrom("agents")
      .select(["uid", "revision"])
      .where("revision", ">", this.#revision)
      .where("replica", "!=", replica)
      .orderBy("revision")
      .execute();
    for (let start = 0; start < rows.length; start += agentsAtATime) {
      const some = rows.slice(start, start + agentsAtATime);
      const uids = some.map(({ uid }) => uid);
      for (const stored of await readAgents(database.query, uids, (uid) => fleet.get(uid)))
        this.#adopt(stored);
      this.#revision = Math.max(this.#revision, ...some.map(({ revision }) => revision));
    }
  }
}
