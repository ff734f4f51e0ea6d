import type { Clock } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { ReportedState } from "../../opamp/agent/reported-state.ts";
import { AgentSession } from "../../opamp/agent/session.ts";
import type { AgentSessionSettings } from "../../opamp/agent/settings.ts";
import type { ServerToAgent } from "../../opamp/messages.ts";

/** Whether the server answers. */
export interface Presence {
  /** The server has answered on it, and it has not ended. */
  connected: boolean;
  /** Since when it is so; milliseconds since the Unix epoch. */
  since: number;
  /** Why it is not connected, as far as that is known. */
  lastError: string | undefined;
}

/** What happens to a connection. The presence is up to date by then. */
export interface ConnectionEvents {
  /** The server was reached, and nothing was said yet. */
  opened(): void;
  connected(): void;
  failed(error: Error): void;
  disconnected(): void;
  message(message: ServerToAgent): void;
  instanceUid(uid: Uint8Array): void;
}

interface ConnectionDeps {
  state: ReportedState;
  clock: Clock;
  logger: Logger;
}

/** One way to a server, and how it is there. */
export class ServerConnection {
  readonly session: AgentSession;
  settings: AgentSessionSettings;
  presence: Presence;

  constructor(
    settings: AgentSessionSettings,
    events: ConnectionEvents,
    { state, clock, logger }: ConnectionDeps,
  ) {
    this.settings = settings;
    this.presence = { connected: false, since: clock.now(), lastError: undefined };
    const handlers = {
      onOpened: () => events.opened(),
      onConnected: () => {
        this.presence = { connected: true, since: clock.now(), lastError: undefined };
        events.connected();
      },
      onConnectFailed: (error: Error) => {
        this.presence = { ...this.presence, lastError: describeError(error) };
        events.failed(error);
      },
      onDisconnected: (reason: string) => {
        this.presence = { connected: false, since: clock.now(), lastError: reason };
        events.disconnected();
      },
      onMessage: (message: ServerToAgent) => events.message(message),
      onInstanceUid: (uid: Uint8Array) => events.instanceUid(uid),
    };
    this.session = new AgentSession(settings, state, handlers, { clock, logger });
  }
}
