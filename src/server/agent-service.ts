import type { Clock } from "../foundation/clock.ts";
import type { Logger } from "../foundation/logger.ts";
import { AgentCapability, AgentToServerFlag, hasBits, ServerCapability } from "../opamp/bits.ts";
import { formatInstanceUid } from "../opamp/instance-uid.ts";
import { type AgentToServer, RemoteConfigStatuses } from "../opamp/messages.ts";
import { answerFlags, type MergedReport } from "../opamp/server/agent-state.ts";
import type { ServerToAgentInit } from "../opamp/server/contract.ts";
import type { Assignment, Assignments } from "./configurations/assignments.ts";
import type { Configuration } from "./configurations/configuration.ts";
import type { Agent, Connection } from "./fleet/agent.ts";
import type { Claims } from "./fleet/claims.ts";
import type { Fleet } from "./fleet/fleet.ts";
import type { Selector } from "./fleet/selector.ts";
import { remoteConfigStatusName } from "./fleet/status-names.ts";
import { decideOffer, type OfferDecision } from "./offers.ts";

/** What this server announces (SS3). */
export const serverCapabilities =
  ServerCapability.AcceptsStatus |
  ServerCapability.OffersRemoteConfig |
  ServerCapability.AcceptsEffectiveConfig;

/** What became of a push, Agent by Agent. */
export interface PushResult {
  assignment: Assignment;
  matched: number;
  /** Sent to these now. */
  offered: string[];
  /** Will get it when they are heard next. */
  pending: { id: string; reason: string }[];
  /** Are not offered it. */
  skipped: { id: string; reason: string }[];
}

/** What became of a restart command. */
export type RestartResult = { t: "sent" | "waits-for-poll" } | { t: "refused"; reason: string };

export interface AgentServiceOptions {
  fleet: Fleet;
  claims: Claims;
  assignments: Assignments;
  clock: Clock;
  log: Logger;
  /** An offer that was not answered is made again no sooner. */
  repeatOfferAfterMs: number;
}

/** The server's side of every conversation: what an Agent reports goes into the fleet, what it is due comes back. */
export class AgentService {
  readonly #options: AgentServiceOptions;

  constructor(options: AgentServiceOptions) {
    this.#options = options;
  }

  /** Answers one message; every one gets an answer (ST3). */
  async answer(connection: Connection, message: AgentToServer): Promise<ServerToAgentInit> {
    const { claims, fleet } = this.#options;
    const id = formatInstanceUid(message.instanceUid);
    if (message.agentDisconnect !== undefined) {
      this.#sayGoodbye(connection, id);
      return {};
    }
    if (hasBits(message.flags, AgentToServerFlag.RequestInstanceUid)) {
      return { agentIdentification: { newInstanceUid: claims.newUidFor(connection, id) } };
    }
    if (!(await claims.accept(connection, id))) {
      return { agentIdentification: { newInstanceUid: claims.newUidFor(connection, id) } };
    }
    const { agent, merged } = fleet.heard(connection, message);
    const noted = this.#noteConfigStatus(agent, merged);
    return this.#answerTo(noted, merged, message.remoteConfigStatus !== undefined);
  }

  /** Makes a configuration the desired one and offers it at once to those that can be reached. */
  push(selector: Selector, configuration: Configuration): PushResult {
    const { assignments, fleet, log } = this.#options;
    const assignment = assignments.push(selector, configuration);
    const agents = fleet.list(selector);
    const result: PushResult = {
      assignment,
      matched: agents.length,
      offered: [],
      pending: [],
      skipped: [],
    };
    for (const agent of agents) this.#pushTo(agent, result);
    log.info(
      {
        event: "config_pushed",
        config_hash: configuration.hashHex,
        selector: selector.text,
        matched: result.matched,
        offered: result.offered.length,
      },
      "configuration pushed",
    );
    return result;
  }

  /** Orders the Agent to restart its Collector; the command travels alone (SX1). */
  restart(agent: Agent): RestartResult {
    if (!hasBits(agent.state.capabilities, AgentCapability.AcceptsRestartCommand)) {
      return { t: "refused", reason: "the agent does not accept restart commands (AcceptsRestartCommand)" };
    }
    const { presence } = agent;
    switch (presence.t) {
      case "gone":
        return { t: "refused", reason: "the agent is not connected" };
      case "polling":
        this.#options.fleet.note(agent, { restartWaiting: true });
        return { t: "waits-for-poll" };
      case "websocket": {
        const sent = presence.connection.send({ instanceUid: agent.state.instanceUid, command: {} });
        return sent ? { t: "sent" } : { t: "refused", reason: "the agent's connection is closing" };
      }
    }
  }

  #sayGoodbye(connection: Connection, id: string): void {
    const { fleet } = this.#options;
    const agent = fleet.get(id);
    if (agent === undefined) return;
    const { presence } = agent;
    // Another connection than the one that speaks for the Agent cannot sign it off.
    const isHolder =
      presence.t === "websocket" ? presence.connection === connection : connection.transport === "http";
    if (isHolder) fleet.gone(agent, "said good-bye");
  }

  #answerTo(agent: Agent, merged: MergedReport, statusReported: boolean): ServerToAgentInit {
    const flags = answerFlags(merged);
    if (agent.restartWaiting && flags === 0n) {
      this.#options.fleet.note(agent, { restartWaiting: false });
      // What it can do may have changed since it was ordered (SS4).
      if (hasBits(agent.state.capabilities, AgentCapability.AcceptsRestartCommand)) return { command: {} };
    }
    // What it runs is not known yet; the full report it is asked for will say.
    if (merged.gap) return { flags };
    const decision = this.#decide(agent, statusReported);
    if (!decision.offer) return { flags };
    this.#noteOffer(agent, decision.assignment);
    return { flags, ...remoteConfig(decision.assignment) };
  }

  #pushTo(agent: Agent, result: PushResult): void {
    const { id, presence } = agent;
    const decision = this.#decide(agent, false);
    if (!decision.offer) {
      result.skipped.push({ id, reason: decision.reason });
      return;
    }
    switch (presence.t) {
      case "gone":
        result.pending.push({ id, reason: "is not connected: is offered it when it comes back" });
        return;
      case "polling":
        result.pending.push({ id, reason: "polls over plain HTTP: is offered it at its next poll" });
        return;
      case "websocket": {
        const { assignment } = decision;
        const sent = presence.connection.send({
          instanceUid: agent.state.instanceUid,
          ...remoteConfig(assignment),
        });
        if (!sent) {
          result.pending.push({ id, reason: "could not be sent to now: is offered it when next heard" });
          return;
        }
        this.#noteOffer(agent, assignment);
        result.offered.push(id);
      }
    }
  }

  #decide(agent: Agent, statusReported: boolean): OfferDecision {
    const { assignments, clock, repeatOfferAfterMs } = this.#options;
    return decideOffer(agent, {
      assignment: assignments.desiredFor(agent),
      statusReported,
      now: clock.monotonic(),
      repeatAfterMs: repeatOfferAfterMs,
    });
  }

  #noteOffer(agent: Agent, { number, configuration }: Assignment): void {
    const { clock, fleet, log } = this.#options;
    fleet.note(agent, {
      offered: { assignment: number, session: agent.session, at: clock.monotonic() },
    });
    log.info(
      { event: "config_offered", agent_id: agent.id, config_hash: configuration.hashHex },
      "configuration offered",
    );
  }

  #noteConfigStatus(agent: Agent, { changed }: MergedReport): Agent {
    const { assignments, fleet, log } = this.#options;
    const status = changed.remoteConfigStatus;
    // An empty hash means that it never was offered any.
    if (status === undefined || status.lastRemoteConfigHash.length === 0) return agent;
    const hash = Buffer.from(status.lastRemoteConfigHash).toString("hex");
    const fields = {
      event: "config_status",
      agent_id: agent.id,
      config_hash: hash,
      status: remoteConfigStatusName(status.status),
      ...(status.errorMessage === "" ? {} : { error: status.errorMessage }),
    };
    if (status.status === RemoteConfigStatuses.RemoteConfigStatuses_FAILED) {
      log.warn(fields, "configuration failed on the agent");
      const desired = assignments.desiredFor(agent);
      const isDesired = desired?.configuration.hashHex === hash;
      return isDesired ? fleet.note(agent, { refusedAssignment: desired.number }) : agent;
    }
    log.info(fields, "configuration status");
    const applied = status.status === RemoteConfigStatuses.RemoteConfigStatuses_APPLIED;
    return applied ? fleet.note(agent, { appliedHash: hash }) : agent;
  }
}

function remoteConfig({ configuration }: Assignment): ServerToAgentInit {
  return { remoteConfig: { config: configuration.map, configHash: configuration.hash } };
}
