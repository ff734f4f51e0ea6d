import { toHex } from "../../foundation/hex.ts";
import { PackageStatusEnum, RemoteConfigStatuses } from "../../opamp/messages.ts";
import type { Agent } from "../fleet/agent.ts";
import type { Assigned } from "./offering.ts";

/** Questions about an Agent that an overview counts and a list is narrowed to: the same answer for both. */
export const fleetQuestions = [
  "connected",
  "disconnected",
  "healthy",
  "unhealthy",
  "drifting",
  "failed",
] as const;
export type FleetQuestion = (typeof fleetQuestions)[number];

const answers: Readonly<Record<FleetQuestion, (agent: Agent, assigned: Assigned) => boolean>> = {
  connected: isConnected,
  disconnected: (agent) => !isConnected(agent),
  // What one that is gone said last is no news of how it fares.
  healthy: (agent) => isConnected(agent) && agent.state.health?.healthy === true,
  unhealthy: (agent) => isConnected(agent) && agent.state.health?.healthy === false,
  drifting: isDrifting,
  failed: hasFailed,
};

/** Whether that is so of an Agent. */
export function isSo(question: FleetQuestion, agent: Agent, assigned: Assigned): boolean {
  return answers[question](agent, assigned);
}

function isConnected({ presence }: Agent): boolean {
  return presence.t !== "gone";
}

/** It runs something else than it is to have, whatever the reason. */
function isDrifting({ appliedHash, state }: Agent, { configuration, packages }: Assigned): boolean {
  if (configuration !== undefined && configuration.desired.hashHex !== appliedHash) return true;
  if (packages === undefined) return false;
  const reported = state.packageStatuses?.serverProvidedAllPackagesHash;
  return reported === undefined || toHex(reported) !== packages.desired.hashHex;
}

/** It said of the last configuration or package that it could not use it. */
function hasFailed({ state }: Agent): boolean {
  const { packageStatuses, remoteConfigStatus } = state;
  if (remoteConfigStatus?.status === RemoteConfigStatuses.RemoteConfigStatuses_FAILED) return true;
  return Object.values(packageStatuses?.packages ?? {}).some(
    ({ status }) => status === PackageStatusEnum.PackageStatusEnum_InstallFailed,
  );
}
