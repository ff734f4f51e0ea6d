import type { AgentSessionSettings } from "../../opamp/agent/settings.ts";
import { defaultHeartbeatIntervalMs } from "../../opamp/limits.ts";
import type { SupervisorSettings } from "../settings/supervisor-settings.ts";
import { clientTls } from "./client-tls.ts";

/**
 * How the settings reach the OpAMP server.
 * @throws when TLS material cannot be read; the message names the key.
 */
export function sessionSettings({ server, capabilities }: SupervisorSettings): AgentSessionSettings {
  const headers = Object.fromEntries(
    Object.entries(server.headers).map(([name, values]) => [name, values.join(", ")]),
  );
  const secure = /^(wss|https):/i.test(server.endpoint);
  return {
    endpoint: new URL(server.endpoint),
    headers: () => headers,
    heartbeatIntervalMs: capabilities.reportsHeartbeat ? defaultHeartbeatIntervalMs : 0,
    maxMessageBytes: server.maxMessageBytes,
    ...(secure && { tls: clientTls(server.tls) }),
  };
}
