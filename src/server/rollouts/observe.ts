import { toHex } from "../../foundation/hex.ts";
import { AgentCapability, hasBits } from "../../opamp/bits.ts";
import { ConnectionSettingsStatuses, PackageStatusEnum, RemoteConfigStatuses } from "../../opamp/messages.ts";
import { connectionBits } from "../connections/connection-composer.ts";
import type { Agent, OfferKind } from "../fleet/agent.ts";
import type { Candidate } from "./cohorts/candidate.ts";
import type { Change, Member } from "./course/rollout.ts";
import type { Answer } from "./gates/evidence.ts";

/** What an Agent says of one thing that it was offered. */
type Reply = { t: "none" | "applied" } | { t: "failed"; reason: string };

const capabilities: Readonly<
  Record<OfferKind, { accepts: readonly bigint[]; reports: bigint; words: string }>
> = {
  configuration: {
    accepts: [AgentCapability.AcceptsRemoteConfig],
    reports: AgentCapability.ReportsRemoteConfig,
    words: "remote configuration",
  },
  packages: {
    accepts: [AgentCapability.AcceptsPackages],
    reports: AgentCapability.ReportsPackageStatuses,
    words: "packages",
  },
  connections: {
    accepts: connectionBits,
    reports: AgentCapability.ReportsConnectionSettingsStatus,
    words: "connection settings",
  },
};

/** An Agent as placing it needs it. */
export function candidateOf(agent: Agent, changes: readonly Change[]): Candidate {
  const blocked = changes.map((change) => whyBlocked(agent, change)).find((reason) => reason !== undefined);
  return { id: agent.id, labels: agent.labels, state: agent.state, reachable: isReachable(agent), blocked };
}

function whyBlocked(agent: Agent, { kind, hash }: Change): string | undefined {
  const { accepts, words } = capabilities[kind];
  if (!accepts.some((bit) => hasBits(agent.state.capabilities, bit))) return `does not accept ${words}`;
  if (replyOf(agent, kind, hash).t === "failed") return "has reported this very hash FAILED before";
  const quarantined = agent.figures?.configuration.quarantined ?? [];
  if (kind === "configuration" && quarantined.some((each) => each.hash === hash)) {
    return "has this very hash in quarantine";
  }
  return undefined;
}

export function isReachable({ presence }: Agent): boolean {
  return presence.t !== "gone";
}

/** Whether it ever answers what it is offered; who does not cannot be judged by it, nor be silent. */
export function canAnswer(agent: Agent, changes: readonly Change[]): boolean {
  return changes.every(({ kind }) => hasBits(agent.state.capabilities, capabilities[kind].reports));
}

/** The answer to all that travels together; one that has not changed keeps its time. */
export function answerOf(agent: Agent, changes: readonly Change[], before: Answer, now: number): Answer {
  const replies = changes.map(({ kind, hash }) => replyOf(agent, kind, hash));
  const failed = replies.find((each) => each.t === "failed");
  if (failed !== undefined) {
    const at = before.t === "failed" ? before.at : now;
    return { t: "failed", at, reason: failed.reason };
  }
  if (replies.every(({ t }) => t === "applied")) {
    return before.t === "applied" ? before : { t: "applied", at: now };
  }
  return before;
}

function replyOf({ state }: Agent, kind: OfferKind, hash: string): Reply {
  switch (kind) {
    case "configuration":
      return configurationReply(state, hash);
    case "packages":
      return packagesReply(state, hash);
    case "connections":
      return connectionsReply(state, hash);
  }
}

function configurationReply({ remoteConfigStatus: status }: Agent["state"], hash: string): Reply {
  if (status === undefined || toHex(status.lastRemoteConfigHash) !== hash) return { t: "none" };
  if (status.status === RemoteConfigStatuses.RemoteConfigStatuses_APPLIED) return { t: "applied" };
  if (status.status !== RemoteConfigStatuses.RemoteConfigStatuses_FAILED) return { t: "none" };
  return { t: "failed", reason: status.errorMessage };
}

function connectionsReply({ connectionSettingsStatus: status }: Agent["state"], hash: string): Reply {
  if (status === undefined || toHex(status.lastConnectionSettingsHash) !== hash) return { t: "none" };
  if (status.status === ConnectionSettingsStatuses.ConnectionSettingsStatuses_APPLIED)
    return { t: "applied" };
  if (status.status !== ConnectionSettingsStatuses.ConnectionSettingsStatuses_FAILED) return { t: "none" };
  return { t: "failed", reason: status.errorMessage };
}

function packagesReply({ packageStatuses: statuses }: Agent["state"], hash: string): Reply {
  if (statuses === undefined || toHex(statuses.serverProvidedAllPackagesHash) !== hash) return { t: "none" };
  const each = Object.values(statuses.packages);
  const failed = each.find(({ status }) => status === PackageStatusEnum.PackageStatusEnum_InstallFailed);
  if (failed !== undefined) return { t: "failed", reason: failed.errorMessage };
  if (statuses.errorMessage !== "") return { t: "failed", reason: statuses.errorMessage };
  const isInstalled = each.every(({ status }) => status === PackageStatusEnum.PackageStatusEnum_Installed);
  return { t: isInstalled ? "applied" : "none" };
}

/** Whether an Agent that applied this runs something else, by what it names and by what our supervisor says. */
export function runsOther({ state, figures }: Agent, changes: readonly Change[]): boolean {
  const change = changes.find(({ kind }) => kind === "configuration");
  if (change === undefined) return false;
  const named = toHex(state.remoteConfigStatus?.lastRemoteConfigHash ?? new Uint8Array());
  if (named !== "" && named !== change.hash) return true;
  const running = figures?.configuration.remote_hash;
  return running !== undefined && running !== change.hash;
}

/** In the words of our supervisor's health; other agents have no words for it. */
export function isCrashLooping({ state }: Agent): boolean {
  return /^(backing-off|held)\b/.test(state.health?.status ?? "");
}

/** How an Agent is before it is reached. */
export function burdenOf(agent: Agent): Pick<Member["before"], "healthy" | "crashLooping"> {
  return { healthy: agent.state.health?.healthy, crashLooping: isCrashLooping(agent) };
}
