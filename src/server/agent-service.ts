import { AgentCapability, AgentToServerFlag, hasBits } from "../opamp/bits.ts";
import { decodeFigures, figuresCapability } from "../opamp/figures.ts";
import { formatInstanceUid } from "../opamp/instance-uid.ts";
import { type AgentToServer, ServerErrorResponseType } from "../opamp/messages.ts";
import { answerFlags, type MergedReport } from "../opamp/server/agent-state.ts";
import type { ServerToAgentInit } from "../opamp/server/contract.ts";
import type { Certificates } from "./certificates/certificates.ts";
import type { Agent, Connection } from "./fleet/agent.ts";
import type { Claims } from "./fleet/claims.ts";
import { descriptionProblem } from "./fleet/description-limit.ts";
import { type Fleet, isHere } from "./fleet/fleet.ts";
import type { Answers } from "./offers/answers.ts";
import type { Offering } from "./offers/offering.ts";

/** What became of a restart command. */
export type RestartResult = { t: "sent" | "waits-for-poll" } | { t: "refused"; reason: string };

export interface AgentServiceOptions {
  fleet: Fleet;
  claims: Claims;
  offering: Offering;
  answers: Answers;
  certificates: Pick<Certificates, "answerTo">;
  /** Where several servers share the Agents. */
  others?: OtherServers;
}

/** The other servers that share the Agents. */
export interface OtherServers {
  /** Before an Agent that is not connected here is heard. False: another server holds a living connection of it. */
  mayTake(id: string): Promise<boolean>;
  /** Has the server that holds its connection restart it. */
  restart(agent: Agent, replica: string): void;
}

const notConnected = "the agent is not connected";

/** The server's side of every conversation: what an Agent reports goes into the fleet, what it is due comes back. */
export class AgentService {
  readonly #options: AgentServiceOptions;

  constructor(options: AgentServiceOptions) {
    this.#options = options;
  }

  /** Answers one message; every one gets an answer (ST3). */
  async answer(connection: Connection, message: AgentToServer): Promise<ServerToAgentInit> {
    const { answers, claims, fleet } = this.#options;
    const id = formatInstanceUid(message.instanceUid);
    const only = connection.context.uid;
    if (only !== undefined && only !== id) return speaksForAnother(only, id);
    if (message.agentDisconnect !== undefined) {
      this.#sayGoodbye(connection, id);
      return {};
    }
    if (hasBits(message.flags, AgentToServerFlag.RequestInstanceUid)) {
      return { agentIdentification: { newInstanceUid: claims.newUidFor(connection, id) } };
    }
    const problem = message.agentDescription && descriptionProblem(message.agentDescription);
    if (problem !== undefined) return badRequest(problem);
    if (!((await this.#mayComeHere(id)) && (await claims.accept(connection, id)))) {
      return { agentIdentification: { newInstanceUid: claims.newUidFor(connection, id) } };
    }
    const packagesBefore = fleet.get(id)?.state.packageStatuses;
    const { agent, merged } = fleet.heard(connection, message);
    const noted = this.#noteFigures(answers.note(agent, merged.changed, packagesBefore), message);
    const certified = await this.#options.certificates.answerTo(noted, connection, message);
    if ("error" in certified) return certified.error;
    // Meanwhile it may have been offered something.
    const now = fleet.get(id) ?? noted;
    return Object.assign(this.#answerTo(now, merged, connection, message), certified.part);
  }

  /** Why the Agent cannot be ordered to restart, or undefined. */
  obstacleToRestart({ presence, state }: Agent): string | undefined {
    if (!hasBits(state.capabilities, AgentCapability.AcceptsRestartCommand)) {
      return "the agent does not accept restart commands (AcceptsRestartCommand)";
    }
    return presence.t === "gone" ? notConnected : undefined;
  }

  /** Orders the Agent to restart its Collector; the command travels alone (SX1). */
  restart(agent: Agent): RestartResult {
    const reason = this.obstacleToRestart(agent);
    if (reason !== undefined) return { t: "refused", reason };
    const { presence } = agent;
    switch (presence.t) {
      case "elsewhere":
        this.#options.others?.restart(agent, presence.replica);
        return { t: "sent" };
      case "gone":
        return { t: "refused", reason: notConnected };
      case "polling":
        this.#options.fleet.note(agent, { restartWaiting: true });
        return { t: "waits-for-poll" };
      case "websocket": {
        const sent = presence.connection.send({ instanceUid: agent.state.instanceUid, command: {} });
        return sent ? { t: "sent" } : { t: "refused", reason: "the agent's connection is closing" };
      }
    }
  }

  async #mayComeHere(id: string): Promise<boolean> {
    const { fleet, others } = this.#options;
    const presence = fleet.get(id)?.presence;
    if (others === undefined || (presence !== undefined && isHere(presence))) return true;
    return await others.mayTake(id);
  }

  /** Figures that cannot be read leave the last ones as they are. */
  #noteFigures(agent: Agent, { customMessage }: AgentToServer): Agent {
    if (customMessage?.capability !== figuresCapability) return agent;
    const figures = decodeFigures(customMessage);
    if (figures === undefined) return agent;
    // After a revert it is not the one whose status was APPLIED last.
    const appliedHash = figures.configuration.remote_hash ?? undefined;
    return this.#options.fleet.note(agent, { figures, appliedHash });
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

  #answerTo(
    agent: Agent,
    merged: MergedReport,
    connection: Connection,
    message: AgentToServer,
  ): ServerToAgentInit {
    const { fleet, offering } = this.#options;
    const flags = answerFlags(merged);
    if (agent.restartWaiting && flags === 0n) {
      fleet.note(agent, { restartWaiting: false });
      // What it can do may have changed since it was ordered (SS4).
      if (hasBits(agent.state.capabilities, AgentCapability.AcceptsRestartCommand)) return { command: {} };
    }
    // What it runs is not known yet; the full report it is asked for will say.
    if (merged.gap) return { flags };
    const reported = {
      configuration: message.remoteConfigStatus !== undefined,
      packages: message.packageStatuses !== undefined,
      connections: message.connectionSettingsStatus !== undefined,
    };
    return { flags, ...offering.answerTo(agent, connection, reported) };
  }
}

/** A token or certificate is for one instance UID. */
function speaksForAnother(only: string, id: string): ServerToAgentInit {
  return badRequest(`this credential is for instance UID ${only}, not ${id}`);
}

function badRequest(errorMessage: string): ServerToAgentInit {
  const type = ServerErrorResponseType.ServerErrorResponseType_BadRequest;
  return { errorResponse: { type, errorMessage } };
}
