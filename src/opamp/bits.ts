// uint64 bit masks are bigint: the generated enums are numbers and cannot be combined with a message field.

/** What an Agent can do, as bits of `AgentToServer.capabilities` (AT8). */
export const AgentCapability = {
  ReportsStatus: 0x1n,
  AcceptsRemoteConfig: 0x2n,
  ReportsEffectiveConfig: 0x4n,
  AcceptsPackages: 0x8n,
  ReportsPackageStatuses: 0x10n,
  ReportsOwnTraces: 0x20n,
  ReportsOwnMetrics: 0x40n,
  ReportsOwnLogs: 0x80n,
  AcceptsOpAMPConnectionSettings: 0x100n,
  AcceptsOtherConnectionSettings: 0x200n,
  AcceptsRestartCommand: 0x400n,
  ReportsHealth: 0x800n,
  ReportsRemoteConfig: 0x1000n,
  ReportsHeartbeat: 0x2000n,
  ReportsAvailableComponents: 0x4000n,
  ReportsConnectionSettingsStatus: 0x8000n,
} as const;

/** What a Server can do, as bits of `ServerToAgent.capabilities` (SS3). */
export const ServerCapability = {
  AcceptsStatus: 0x1n,
  OffersRemoteConfig: 0x2n,
  AcceptsEffectiveConfig: 0x4n,
  OffersPackages: 0x8n,
  AcceptsPackagesStatus: 0x10n,
  OffersConnectionSettings: 0x20n,
  AcceptsConnectionSettingsRequest: 0x40n,
} as const;

/** Bits of `AgentToServer.flags`. */
export const AgentToServerFlag = {
  RequestInstanceUid: 0x1n,
} as const;

/** Bits of `ServerToAgent.flags`. */
export const ServerToAgentFlag = {
  ReportFullState: 0x1n,
  ReportAvailableComponents: 0x2n,
} as const;

/** Whether every bit of `wanted` is set in `mask`. */
export function hasBits(mask: bigint, wanted: bigint): boolean {
  return (mask & wanted) === wanted;
}
