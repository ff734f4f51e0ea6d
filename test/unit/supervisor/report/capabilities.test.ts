import { describe, expect, it } from "vitest";
import { AgentCapability } from "../../../../src/opamp/bits.ts";
import { agentCapabilities } from "../../../../src/supervisor/report/capabilities.ts";
import { fileWith, load } from "../settings/support.ts";

function bitsOf(...lines: string[]): bigint {
  return agentCapabilities(load(fileWith("capabilities", ...lines)).settings);
}

const switches = [
  ["accepts_remote_config", AgentCapability.AcceptsRemoteConfig],
  ["reports_effective_config", AgentCapability.ReportsEffectiveConfig],
  ["reports_own_metrics", AgentCapability.ReportsOwnMetrics],
  ["reports_own_logs", AgentCapability.ReportsOwnLogs],
  ["reports_own_traces", AgentCapability.ReportsOwnTraces],
  ["accepts_opamp_connection_settings", AgentCapability.AcceptsOpAMPConnectionSettings],
  ["reports_connection_settings_status", AgentCapability.ReportsConnectionSettingsStatus],
  ["accepts_restart_command", AgentCapability.AcceptsRestartCommand],
  ["reports_health", AgentCapability.ReportsHealth],
  ["reports_remote_config", AgentCapability.ReportsRemoteConfig],
  ["reports_heartbeat", AgentCapability.ReportsHeartbeat],
  ["reports_available_components", AgentCapability.ReportsAvailableComponents],
] as const;

describe("agentCapabilities", () => {
  it("always says that it reports status, and nothing that is switched off (AT8)", () => {
    const off = switches.map(([key]) => `${key}: false`);
    expect(bitsOf(...off)).toBe(AgentCapability.ReportsStatus);
  });

  it.each(switches)("%s is one bit", (key, bit) => {
    const lines = switches.map(([other]) => `${other}: ${other === key}`);
    expect(bitsOf(...lines)).toBe(AgentCapability.ReportsStatus | bit);
  });

  it("AN18 says that it reports what became of connection settings where it accepts them", () => {
    const { AcceptsOpAMPConnectionSettings: accepts, ReportsConnectionSettingsStatus: reports } =
      AgentCapability;
    const bits = bitsOf("accepts_opamp_connection_settings: true");
    expect(bits & (accepts | reports)).toBe(accepts | reports);
    expect(bitsOf() & (accepts | reports)).toBe(0n);
  });
});
