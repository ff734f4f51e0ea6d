import type { AgentToServer, ServerToAgent } from "../../opamp/messages.ts";

/** What a message of an Agent is about, by the fields it has; one without any is a heartbeat. */
const agentFields = {
  agentDescription: "agent_description",
  health: "health",
  effectiveConfig: "effective_config",
  remoteConfigStatus: "remote_config_status",
  packageStatuses: "package_statuses",
  connectionSettingsRequest: "connection_settings_request",
  connectionSettingsStatus: "connection_settings_status",
  availableComponents: "available_components",
  customMessage: "custom_message",
  agentDisconnect: "agent_disconnect",
} as const satisfies Partial<Record<keyof AgentToServer, string>>;

const serverFields = {
  errorResponse: "error_response",
  remoteConfig: "remote_config",
  connectionSettings: "connection_settings",
  packagesAvailable: "packages_available",
  agentIdentification: "agent_identification",
  command: "command",
  customMessage: "custom_message",
} as const satisfies Partial<Record<keyof ServerToAgent, string>>;

export const receivedKinds = [...Object.values(agentFields), "heartbeat"] as const;
export const sentKinds = [...Object.values(serverFields), "acknowledgement"] as const;

export type ReceivedKind = (typeof receivedKinds)[number];
export type SentKind = (typeof sentKinds)[number];

/** Every kind that a message is of. */
export function kindsOfReceived(message: AgentToServer): readonly ReceivedKind[] {
  return present(message, agentFields, "heartbeat");
}

export function kindsOfSent(message: ServerToAgent): readonly SentKind[] {
  return present(message, serverFields, "acknowledgement");
}

function present<M extends object, K extends string, N extends string>(
  message: M,
  fields: Readonly<Partial<Record<keyof M, K>>>,
  none: N,
): readonly (K | N)[] {
  const found = (Object.keys(fields) as (keyof M)[]).flatMap((field) => {
    const kind = fields[field];
    return kind !== undefined && message[field] !== undefined ? [kind] : [];
  });
  return found.length === 0 ? [none] : found;
}
