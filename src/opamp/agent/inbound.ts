import { create } from "@bufbuild/protobuf";
import { AgentCapability, hasBits } from "../bits.ts";
import { type ConnectionSettingsOffers, type ServerToAgent, ServerToAgentSchema } from "../messages.ts";
import type { ReportedState } from "./reported-state.ts";

/**
 * The parts of a message that this Agent announced it handles (AT10, AX4). A command stands alone: the rest
 * of its message is ignored (AX5).
 */
export function announcedParts(message: ServerToAgent, state: ReportedState): ServerToAgent {
  const can = (bit: bigint) => hasBits(state.capabilities, bit);
  const { instanceUid, capabilities, flags, customCapabilities, customMessage } = message;
  const base = create(ServerToAgentSchema, { instanceUid, capabilities, flags });
  if (message.command !== undefined && can(AgentCapability.AcceptsRestartCommand)) {
    base.command = message.command;
    return base;
  }
  base.customCapabilities = customCapabilities;
  if (can(AgentCapability.AcceptsRemoteConfig)) base.remoteConfig = message.remoteConfig;
  if (can(AgentCapability.AcceptsPackages)) base.packagesAvailable = message.packagesAvailable;
  base.connectionSettings = announcedOffers(message.connectionSettings, can);
  const custom = state.get("customCapabilities")?.capabilities ?? [];
  if (customMessage !== undefined && custom.includes(customMessage.capability))
    base.customMessage = customMessage;
  return base;
}

function announcedOffers(
  offers: ConnectionSettingsOffers | undefined,
  can: (bit: bigint) => boolean,
): ConnectionSettingsOffers | undefined {
  if (offers === undefined) return undefined;
  const opamp = can(AgentCapability.AcceptsOpAMPConnectionSettings);
  const metrics = can(AgentCapability.ReportsOwnMetrics);
  const traces = can(AgentCapability.ReportsOwnTraces);
  const logs = can(AgentCapability.ReportsOwnLogs);
  const others = can(AgentCapability.AcceptsOtherConnectionSettings);
  if (!(opamp || metrics || traces || logs || others)) return undefined;
  return {
    ...offers,
    opamp: opamp ? offers.opamp : undefined,
    ownMetrics: metrics ? offers.ownMetrics : undefined,
    ownTraces: traces ? offers.ownTraces : undefined,
    ownLogs: logs ? offers.ownLogs : undefined,
    otherConnections: others ? offers.otherConnections : {},
  };
}
