import { toHex } from "../../foundation/hex.ts";
import type { Logger } from "../../foundation/logger.ts";
import {
  ConnectionSettingsStatuses,
  PackageStatusEnum,
  type PackageStatuses,
  RemoteConfigStatuses,
} from "../../opamp/messages.ts";
import type { ReportedParts } from "../../opamp/server/agent-state.ts";
import type { ServerEvents } from "../events.ts";
import type { Agent, OfferKind } from "../fleet/agent.ts";
import type { Fleet } from "../fleet/fleet.ts";
import {
  connectionSettingsStatusName,
  packageStatusName,
  remoteConfigStatusName,
} from "../fleet/status-names.ts";
import type { PackageSet } from "../packages/package-set.ts";
import type { Offering } from "./offering.ts";

/** More rules than can be gone back over. */
const refusedKept = 16;

export interface AnswersOptions {
  fleet: Fleet;
  offering: Offering;
  log: Logger;
  events: ServerEvents;
}

/** Takes note of what Agents say became of their offers, and writes it to the log. */
export class Answers {
  readonly #options: AnswersOptions;

  constructor(options: AnswersOptions) {
    this.#options = options;
  }

  /** `changed` is what a report brought that is new; `before` is what was reported of packages until then. */
  note(agent: Agent, changed: ReportedParts, before: PackageStatuses | undefined): Agent {
    this.#logPackages(agent, changed.packageStatuses, before);
    return this.#noteConnections(
      this.#notePackages(this.#noteConfiguration(agent, changed), changed),
      changed,
    );
  }

  #noteConfiguration(agent: Agent, { remoteConfigStatus: status }: ReportedParts): Agent {
    const { events, fleet, log, offering } = this.#options;
    if (status === undefined) return agent;
    // It knows of no offer, or not any more: an operator on that host may want a refused one tried again.
    if (status.lastRemoteConfigHash.length === 0) {
      return fleet.noteOffer(agent, "configuration", { refused: [] });
    }
    const hash = toHex(status.lastRemoteConfigHash);
    const answer = { hash, status: remoteConfigStatusName(status.status), error: status.errorMessage };
    const answered = fleet.noteAnswer(agent, "configuration", answer);
    const fields = {
      event: "config_status",
      agent_id: agent.id,
      config_hash: hash,
      status: remoteConfigStatusName(status.status),
      ...(status.errorMessage === "" ? {} : { error: status.errorMessage }),
    };
    events.publish({
      type: "offer.answered",
      agent_id: agent.id,
      kind: "configuration",
      hash,
      status: fields.status,
      error: textOrNull(status.errorMessage),
    });
    if (status.status === RemoteConfigStatuses.RemoteConfigStatuses_FAILED) {
      log.warn(fields, "configuration failed on the agent");
      const { configuration } = offering.assignedTo(agent);
      const isDesired = configuration !== undefined && configuration.desired.hashHex === hash;
      // It had run, and was gone back from: what runs instead is not known until the Agent's figures say so.
      const noted = agent.appliedHash === hash ? fleet.note(answered, { appliedHash: undefined }) : answered;
      return isDesired ? this.#noteRefused(noted, "configuration", configuration.number) : noted;
    }
    log.info(fields, "configuration status");
    const applied = status.status === RemoteConfigStatuses.RemoteConfigStatuses_APPLIED;
    return applied ? fleet.note(answered, { appliedHash: hash }) : answered;
  }

  #notePackages(agent: Agent, { packageStatuses: statuses }: ReportedParts): Agent {
    const { packages } = this.#options.offering.assignedTo(agent);
    if (statuses === undefined || packages === undefined) return agent;
    const failed = hasFailed(statuses, packages.desired);
    const answered = this.#options.fleet.noteAnswer(agent, "packages", {
      hash: toHex(statuses.serverProvidedAllPackagesHash),
      status: failed ? "FAILED" : packagesAnswer(statuses),
      error: statuses.errorMessage,
    });
    return failed ? this.#noteRefused(answered, "packages", packages.number) : answered;
  }

  #noteConnections(agent: Agent, { connectionSettingsStatus: status }: ReportedParts): Agent {
    const { events, fleet, log, offering } = this.#options;
    if (status === undefined) return agent;
    if (status.lastConnectionSettingsHash.length === 0) {
      return fleet.noteOffer(agent, "connections", { refused: [] });
    }
    const hash = toHex(status.lastConnectionSettingsHash);
    const name = connectionSettingsStatusName(status.status);
    const answer = { hash, status: name, error: status.errorMessage };
    const answered = fleet.noteAnswer(agent, "connections", answer);
    const error = textOrNull(status.errorMessage);
    events.publish({
      type: "offer.answered",
      agent_id: agent.id,
      kind: "connections",
      hash,
      status: name,
      error,
    });
    const fields = { event: "connections_status", agent_id: agent.id, connections_hash: hash, status: name };
    if (status.status !== ConnectionSettingsStatuses.ConnectionSettingsStatuses_FAILED) {
      log.info(fields, "connection settings status");
      return answered;
    }
    log.warn({ ...fields, error }, "connection settings failed on the agent");
    const { connections } = offering.assignedTo(agent);
    const isDesired = connections !== undefined && connections.desired.hashHex === hash;
    return isDesired ? this.#noteRefused(answered, "connections", connections.number) : answered;
  }

  #noteRefused(agent: Agent, kind: OfferKind, rule: number): Agent {
    const others = agent.offers[kind].refused.filter((each) => each !== rule);
    return this.#options.fleet.noteOffer(agent, kind, { refused: [...others, rule].slice(-refusedKept) });
  }

  /** Once for each change of a status: progress comes every second. */
  #logPackages(agent: Agent, now: PackageStatuses | undefined, before: PackageStatuses | undefined): void {
    const { events, log } = this.#options;
    for (const [name, each] of Object.entries(now?.packages ?? {})) {
      const known = before?.packages[name];
      const isSame =
        known?.status === each.status &&
        known.errorMessage === each.errorMessage &&
        known.agentHasVersion === each.agentHasVersion &&
        known.serverOfferedVersion === each.serverOfferedVersion;
      if (isSame) continue;
      const fields = {
        event: "package_status",
        agent_id: agent.id,
        package: name,
        status: packageStatusName(each.status),
        ...(each.agentHasVersion === "" ? {} : { version: each.agentHasVersion }),
        ...(each.serverOfferedVersion === "" ? {} : { offered_version: each.serverOfferedVersion }),
        ...(each.errorMessage === "" ? {} : { error: each.errorMessage }),
      };
      events.publish({
        type: "package.status",
        agent_id: agent.id,
        package: name,
        status: fields.status,
        version: textOrNull(each.agentHasVersion),
        error: textOrNull(each.errorMessage),
      });
      if (isFailed(each)) log.warn(fields, "package failed on the agent");
      else log.info(fields, "package status");
    }
  }
}

/** Whether the Agent says of this very offer that it, or one package of it, could not be installed. */
function hasFailed(statuses: PackageStatuses, offered: PackageSet): boolean {
  const isOfThisOffer = sameBytes(statuses.serverProvidedAllPackagesHash, offered.hash);
  if (isOfThisOffer && statuses.errorMessage !== "") return true;
  return offered.packages.some(({ name, hash }) => {
    const status = statuses.packages[name];
    return status !== undefined && isFailed(status) && sameBytes(status.serverOfferedHash, hash);
  });
}

/** Empty text is how the protocol says that there is none. */
function textOrNull(text: string): string | null {
  return text === "" ? null : text;
}

/** All of them together, in the words of a configuration's status. */
function packagesAnswer({ packages }: PackageStatuses): string {
  const installed = PackageStatusEnum.PackageStatusEnum_Installed;
  return Object.values(packages).every(({ status }) => status === installed) ? "APPLIED" : "APPLYING";
}

function isFailed({ status }: { status: PackageStatusEnum }): boolean {
  return status === PackageStatusEnum.PackageStatusEnum_InstallFailed;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
