import { onTestFinished } from "vitest";
import type { LogFields, Logger } from "../../../src/foundation/logger.ts";
import type { Selector } from "../../../src/opamp/selector.ts";
import { type Configuration, createConfiguration } from "../../../src/server/configurations/configuration.ts";
import { ServerEvents } from "../../../src/server/events.ts";
import { readyMadeStrategies } from "../../../src/server/rollouts/strategy/ready-made.ts";
import { type RunningServer, startServer } from "../../../src/server/server.ts";
import { defaultServerSettings } from "../../../src/server/settings/load.ts";
import type { ServerSettings } from "../../../src/server/settings/server-settings.ts";
import { ManualClock } from "../../support/manual-clock.ts";

/** Settings of a server on free loopback ports. */
export const testSettings: ServerSettings = {
  opamp: {
    address: { host: "127.0.0.1", port: 0 },
    path: "/v1/opamp",
    tls: undefined,
    maxMessageBytes: 1024 * 1024,
    maxConnections: 100,
    heartbeatIntervalMs: 30_000,
    drainMs: 0,
  },
  management: { address: { host: "127.0.0.1", port: 0 }, tls: undefined, maxBodyBytes: 64 * 1024 },
  packages: undefined,
  storage: { directory: undefined, postgresUrl: undefined },
  rollouts: { defaultStrategy: "immediate", prometheusUrl: undefined },
  validation: defaultServerSettings().validation,
  secrets: {},
  access: defaultServerSettings().access,
  certificates: defaultServerSettings().certificates,
  notifications: defaultServerSettings().notifications,
  metrics: { labels: [] },
  fleet: { staleAfterMs: 300_000, forgetAfterMs: 30 * 86_400_000 },
  logs: { level: "info", format: "json", outputPaths: ["stdout"] },
};

/** Log lines as they were written; a test waits for one by its event. */
export class LogBook implements Logger {
  readonly lines: LogFields[] = [];
  readonly #waiting = new Set<() => void>();

  debug(): void {}

  info(fields: LogFields): void {
    this.lines.push(fields);
    for (const check of this.#waiting) check();
  }

  warn(fields: LogFields): void {
    this.info(fields);
  }

  error(fields: LogFields): void {
    this.info(fields);
  }

  of(event: string): LogFields[] {
    return this.lines.filter((line) => line.event === event);
  }

  /** The first line of that event, once there is one. */
  seen(event: string): Promise<LogFields> {
    return new Promise((resolve) => {
      const check = () => {
        const [line] = this.of(event);
        if (line === undefined) return;
        this.#waiting.delete(check);
        resolve(line);
      };
      this.#waiting.add(check);
      check();
    });
  }
}

export interface TestServer {
  server: RunningServer;
  clock: ManualClock;
  log: LogBook;
  /** Ends it now; otherwise it is ended with the test. */
  stop: () => Promise<void>;
  /** The URL of a path of the management API. */
  api: (path: string) => string;
}

/** A server that is closed when the test ends. */
export async function startTestServer(
  settings: Partial<ServerSettings> = {},
  { web }: { web?: string } = {},
): Promise<TestServer> {
  const clock = new ManualClock();
  const log = new LogBook();
  const server = await startServer({ ...testSettings, ...settings }, { clock, log, web });
  let stopped: Promise<void> | undefined;
  const stop = async () => {
    const closed = server.close();
    // Peers that answer no close frame are cut off by the clock.
    const nudge = setInterval(() => clock.advance(10_000), 20);
    await closed;
    clearInterval(nudge);
  };
  const stopOnce = () => {
    stopped ??= stop();
    return stopped;
  };
  onTestFinished(stopOnce);
  return { server, clock, log, stop: stopOnce, api: (path) => new URL(path, server.managementUrl).href };
}

/** Makes a configuration the desired one of all that the selector picks, at once. */
export async function pushConfiguration(
  server: RunningServer,
  selector: Selector,
  configuration: Configuration,
) {
  const { offers, matched } = await server.rollouts.start({
    contents: [{ kind: "configuration", desired: configuration }],
    selector,
    strategy: readyMadeStrategies.get("immediate")!,
    by: "test",
    message: "",
  });
  const { offered = [], pending = [], skipped = [] } = offers.get("configuration") ?? {};
  return { matched, offered, pending, skipped };
}

/** A configuration of one YAML text. */
export function yaml(text: string) {
  return createConfiguration({ "": { body: Buffer.from(text), contentType: "text/yaml" } });
}

/** A bus that nobody listens to yet. */
export function testEvents(kept = 100): ServerEvents {
  return new ServerEvents({ clock: new ManualClock(), run: "test", kept });
}
