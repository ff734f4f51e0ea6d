import type * as z from "zod";
import { toHex } from "../../foundation/hex.ts";
import type {
  AvailableComponents,
  ComponentDetails,
  ComponentHealth,
  ConnectionSettingsStatus,
  EffectiveConfig,
  PackageStatus,
  PackageStatuses,
  RemoteConfigStatus,
} from "../../opamp/messages.ts";
import type { Agent } from "../fleet/agent.ts";
import { capabilityNames } from "../fleet/capabilities.ts";
import type { Condition } from "../fleet/condition.ts";
import {
  connectionSettingsStatusName,
  packageStatusName,
  remoteConfigStatusName,
} from "../fleet/status-names.ts";
import type { Assigned } from "../offers/offering.ts";
import type { OffersTable } from "../offers/tables.ts";
import type {
  agentDetailSchema,
  agentSummarySchema,
  ComponentsView,
  HealthView,
  offerSchema,
} from "./agent-schema.ts";
import { isoTime } from "./iso-time.ts";

/** An Agent in a list. Undefined fields are left out of the JSON. */
export function agentSummary(
  agent: Agent,
  assigned: Assigned,
  condition: Condition,
): z.infer<typeof agentSummarySchema> {
  const { state, labels } = agent;
  return {
    id: agent.id,
    connected: agent.presence.t !== "gone",
    condition,
    transport: agent.transport,
    remote_addr: agent.remoteAddress,
    version: labels["service.version"] ?? null,
    labels,
    capabilities: capabilityNames(state.capabilities),
    health: state.health === undefined ? null : healthSummary(state.health),
    config_hash: agent.appliedHash ?? null,
    remote_config_status: remoteConfigStatus(state.remoteConfigStatus),
    desired_config_hash: assigned.configuration?.desired.hashHex ?? null,
    packages: packageSummaries(state.packageStatuses),
    packages_hash: packagesHash(state.packageStatuses),
    desired_packages_hash: assigned.packages?.desired.hashHex ?? null,
    connection_settings_status: connectionSettingsStatus(state.connectionSettingsStatus),
    desired_connections_hash: assigned.connections?.desired.hashHex ?? null,
    first_seen: isoTime(agent.firstSeen),
    last_seen: isoTime(agent.lastSeen),
    sequence: Number(state.sequenceNum),
  };
}

/** An Agent by itself. */
export function agentDetail(
  agent: Agent,
  assigned: Assigned,
  condition: Condition,
): z.infer<typeof agentDetailSchema> {
  const { state } = agent;
  return {
    ...agentSummary(agent, assigned, condition),
    health: state.health === undefined ? null : health(state.health),
    effective_config: effectiveConfig(state.effectiveConfig),
    packages: packages(state.packageStatuses),
    packages_error: textOf(state.packageStatuses?.errorMessage),
    components: components(state.availableComponents),
    figures: agent.figures ?? null,
    custom_capabilities: state.customCapabilities?.capabilities ?? [],
  };
}

export function offerView(offer: OffersTable): z.infer<typeof offerSchema> {
  const { answer, answered_at, error, hash, lane, number, offered_at } = offer;
  return {
    number,
    kind: lane,
    hash,
    offered_at: isoTime(offered_at),
    answer,
    answered_at: answered_at === null ? null : isoTime(answered_at),
    error: error === "" ? null : error,
  };
}

function healthSummary(reported: ComponentHealth) {
  return {
    healthy: reported.healthy,
    status: reported.status,
    last_error: reported.lastError === "" ? undefined : reported.lastError,
    start_time: isoTimeOfNanoseconds(reported.startTimeUnixNano),
    status_time: isoTimeOfNanoseconds(reported.statusTimeUnixNano),
  };
}

function health(reported: ComponentHealth): HealthView {
  const nested = Object.entries(reported.componentHealthMap);
  const summary = healthSummary(reported);
  if (nested.length === 0) return summary;
  return { ...summary, components: Object.fromEntries(nested.map(([name, each]) => [name, health(each)])) };
}

function remoteConfigStatus(reported: RemoteConfigStatus | undefined) {
  if (reported === undefined) return null;
  return {
    status: remoteConfigStatusName(reported.status),
    hash: toHex(reported.lastRemoteConfigHash),
    error: reported.errorMessage === "" ? undefined : reported.errorMessage,
  };
}

function connectionSettingsStatus(reported: ConnectionSettingsStatus | undefined) {
  if (reported === undefined) return null;
  return {
    status: connectionSettingsStatusName(reported.status),
    hash: toHex(reported.lastConnectionSettingsHash),
    error: textOf(reported.errorMessage),
  };
}

function effectiveConfig(reported: EffectiveConfig | undefined): Record<string, string> | null {
  if (reported?.configMap === undefined) return null;
  const entries = Object.entries(reported.configMap.configMap);
  return Object.fromEntries(entries.map(([name, { body }]) => [name, Buffer.from(body).toString()]));
}

/** The offer that the Agent follows, as it names it. */
function packagesHash(reported: PackageStatuses | undefined): string | null {
  const hash = reported?.serverProvidedAllPackagesHash;
  return hash === undefined || hash.length === 0 ? null : toHex(hash);
}

function packageSummaries(reported: PackageStatuses | undefined) {
  return mapPackages(reported, (each) => ({
    version: textOf(each.agentHasVersion),
    status: packageStatusName(each.status),
  }));
}

function packages(reported: PackageStatuses | undefined) {
  return mapPackages(reported, (each) => ({
    version: textOf(each.agentHasVersion),
    status: packageStatusName(each.status),
    offered_version: textOf(each.serverOfferedVersion),
    error: textOf(each.errorMessage),
    download: each.downloadDetails && {
      percent: each.downloadDetails.downloadPercent,
      bytes_per_second: each.downloadDetails.downloadBytesPerSecond,
    },
  }));
}

function mapPackages<T>(reported: PackageStatuses | undefined, view: (status: PackageStatus) => T) {
  if (reported === undefined) return null;
  return Object.fromEntries(Object.entries(reported.packages).map(([name, each]) => [name, view(each)]));
}

/** Empty text is how the protocol says that there is none. */
function textOf(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}

function components(reported: AvailableComponents | undefined): ComponentsView {
  const names = (details: Record<string, ComponentDetails>): ComponentsView =>
    Object.fromEntries(Object.entries(details).map(([name, each]) => [name, names(each.subComponentMap)]));
  return names(reported?.components ?? {});
}

/** Zero means unset; what no date can hold is left out too. */
function isoTimeOfNanoseconds(nanoseconds: bigint): string | undefined {
  const date = new Date(Number(nanoseconds / 1_000_000n));
  return nanoseconds === 0n || Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}
