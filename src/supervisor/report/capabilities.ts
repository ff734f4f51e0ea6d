import { AgentCapability } from "../../opamp/bits.ts";
import type { SupervisorSettings } from "../settings/supervisor-settings.ts";

/** The capability bits that the settings ask for, as the reference sets them. */
export function agentCapabilities({ capabilities }: SupervisorSettings): bigint {
  let bits: bigint = AgentCapability.ReportsStatus;
  const add = (on: boolean, bit: bigint) => {
    if (on) bits |= bit;
  };
  add(capabilities.acceptsRemoteConfig, AgentCapability.AcceptsRemoteConfig);
  add(capabilities.reportsEffectiveConfig, AgentCapability.ReportsEffectiveConfig);
  add(capabilities.reportsOwnMetrics, AgentCapability.ReportsOwnMetrics);
  add(capabilities.reportsOwnLogs, AgentCapability.ReportsOwnLogs);
  add(capabilities.reportsOwnTraces, AgentCapability.ReportsOwnTraces);
  add(capabilities.acceptsOpampConnectionSettings, AgentCapability.AcceptsOpAMPConnectionSettings);
  add(capabilities.acceptsOtherConnectionSettings, AgentCapability.AcceptsOtherConnectionSettings);
  add(capabilities.reportsConnectionSettingsStatus, AgentCapability.ReportsConnectionSettingsStatus);
  add(capabilities.acceptsRestartCommand, AgentCapability.AcceptsRestartCommand);
  add(capabilities.reportsHealth, AgentCapability.ReportsHealth);
  add(capabilities.reportsRemoteConfig, AgentCapability.ReportsRemoteConfig);
  add(capabilities.reportsHeartbeat, AgentCapability.ReportsHeartbeat);
  add(capabilities.acceptsPackages, AgentCapability.AcceptsPackages);
  add(capabilities.reportsPackageStatuses, AgentCapability.ReportsPackageStatuses);
  add(capabilities.reportsAvailableComponents, AgentCapability.ReportsAvailableComponents);
  return bits;
}
