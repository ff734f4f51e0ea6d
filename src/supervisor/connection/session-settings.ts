import type { Clock } from "../../foundation/clock.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { AgentSessionSettings } from "../../opamp/agent/settings.ts";
import { defaultHeartbeatIntervalMs } from "../../opamp/limits.ts";
import type { SupervisorSettings } from "../settings/supervisor-settings.ts";
import { reloadingTls } from "./reloading-tls.ts";

/**
 * How the settings reach the OpAMP server.
 * @throws when TLS material cannot be read; the message names the key.
 */
export function sessionSettings(
  { server, capabilities }: SupervisorSettings,
  deps: { clock: Clock; logger: Logger },
): AgentSessionSettings {
  const headers = Object.fromEntries(
    Object.entries(server.headers).map(([name, values]) => [name, values.join(", ")]),
  );
  const secure = /^(wss|https):/i.test(server.endpoint);
  return {
    endpoint: new URL(server.endpoint),
    headers: () => headers,
    heartbeatIntervalMs: capabilities.reportsHeartbeat ? defaultHeartbeatIntervalMs : 0,
    maxMessageBytes: server.maxMessageBytes,
    ...(secure && { tls: reloadingTls(server.tls, deps) }),
  };
}
