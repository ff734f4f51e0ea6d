import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { onTestFinished } from "vitest";
import type { LogFields, Logger } from "../../../../src/foundation/logger.ts";
import { ReportedState } from "../../../../src/opamp/agent/reported-state.ts";
import { AgentSession, type AgentSessionSettings } from "../../../../src/opamp/agent/session.ts";
import { AgentCapability } from "../../../../src/opamp/bits.ts";
import {
  AgentDescriptionSchema,
  type AgentToServer,
  ComponentHealthSchema,
  EffectiveConfigSchema,
  type ServerToAgent,
} from "../../../../src/opamp/messages.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { ScriptedOpampServer, type ScriptedServerOptions } from "../../../support/scripted-opamp-server.ts";

export type SessionEvent =
  | { t: "connected" }
  | { t: "failed"; error: string; retryInMs: number }
  | { t: "disconnected"; reason: string }
  | { t: "message"; message: ServerToAgent }
  | { t: "uid"; uid: Uint8Array };

export interface SessionFixture {
  clock: ManualClock;
  state: ReportedState;
  session: AgentSession;
  events: SessionEvent[];
  logs: Array<LogFields & { level: string }>;
  /** Resolves when the condition holds; it is looked at whenever a handler was called or a line logged. */
  until: (condition: () => boolean) => Promise<void>;
  /** Resolves with the nth event of a kind, counted from 1. */
  event: <T extends SessionEvent["t"]>(t: T, nth?: number) => Promise<Extract<SessionEvent, { t: T }>>;
}

export const uidA = new Uint8Array(16).fill(0xa);
export const uidB = new Uint8Array(16).fill(0xb);

export const everyReport =
  AgentCapability.ReportsEffectiveConfig |
  AgentCapability.ReportsHealth |
  AgentCapability.ReportsRemoteConfig |
  AgentCapability.ReportsPackageStatuses |
  AgentCapability.ReportsAvailableComponents |
  AgentCapability.ReportsConnectionSettingsStatus |
  AgentCapability.ReportsHeartbeat;

export function description(name: string) {
  return create(AgentDescriptionSchema, {
    identifyingAttributes: [{ key: "service.name", value: { value: { case: "stringValue", value: name } } }],
  });
}

export function health(init: MessageInitShape<typeof ComponentHealthSchema>) {
  return create(ComponentHealthSchema, init);
}

export function effectiveConfig(body: string | Uint8Array) {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  return create(EffectiveConfigSchema, { configMap: { configMap: { "": { body: new Uint8Array(bytes) } } } });
}

/** A scripted server that is stopped when the test ends. */
export async function startServer(options?: ScriptedServerOptions): Promise<ScriptedOpampServer> {
  const server = await ScriptedOpampServer.start(options);
  onTestFinished(() => server.stop());
  return server;
}

/** A session that reports a description and health; stopped when the test ends. Its clock stands still. */
export function makeSession(
  endpoint: URL,
  options: {
    settings?: Partial<AgentSessionSettings>;
    capabilities?: bigint;
    requestInstanceUid?: boolean;
    onEvent?: (event: SessionEvent) => void;
  } = {},
): SessionFixture {
  const clock = new ManualClock();
  const state = new ReportedState({
    instanceUid: uidA,
    capabilities: options.capabilities ?? everyReport,
    requestInstanceUid: options.requestInstanceUid ?? false,
  });
  state.set("agentDescription", description("collector"));
  state.set("health", health({ healthy: true, status: "ok" }));
  const events: SessionEvent[] = [];
  const logs: SessionFixture["logs"] = [];
  let waiters: Array<() => void> = [];
  const wake = () => {
    const woken = waiters;
    waiters = [];
    for (const resolve of woken) resolve();
  };
  const happened = (event: SessionEvent) => {
    events.push(event);
    options.onEvent?.(event);
    wake();
  };
  const log = (level: string) => (fields: LogFields) => {
    logs.push({ level, ...fields });
    wake();
  };
  const logger: Logger = { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
  const session = new AgentSession(
    {
      endpoint,
      headers: () => ({}),
      heartbeatIntervalMs: 30_000,
      maxMessageBytes: 1024 * 1024,
      pingIntervalMs: 0,
      proxyFor: () => undefined,
      ...options.settings,
    },
    state,
    {
      onConnected: () => happened({ t: "connected" }),
      onConnectFailed: (error, retryInMs) => happened({ t: "failed", error: error.message, retryInMs }),
      onDisconnected: (reason) => happened({ t: "disconnected", reason }),
      onMessage: (message) => happened({ t: "message", message }),
      onInstanceUid: (uid) => happened({ t: "uid", uid }),
    },
    { clock, logger, random: () => 0 },
  );
  const until = async (condition: () => boolean) => {
    while (!condition()) await new Promise<void>((resolve) => waiters.push(resolve));
  };
  onTestFinished(async () => {
    const stopping = session.stop(0);
    clock.advance(10_000);
    await stopping;
  });
  return {
    clock,
    state,
    session,
    events,
    logs,
    until,
    async event<T extends SessionEvent["t"]>(t: T, nth = 1) {
      const found = () => events.filter((event): event is Extract<SessionEvent, { t: T }> => event.t === t);
      await until(() => found().length >= nth);
      return found()[nth - 1]!;
    },
  };
}

/** Names of the fields that a message carries beside uid, number, capabilities and flags. */
export function content(message: AgentToServer): string[] {
  const always = new Set(["$typeName", "instanceUid", "sequenceNum", "capabilities", "flags"]);
  return Object.entries(message).flatMap(([name, value]) =>
    value === undefined || always.has(name) ? [] : name,
  );
}

/** Connects; the first exchange is over then. */
export async function connect(server: ScriptedOpampServer, fixture: SessionFixture): Promise<void> {
  fixture.session.start();
  await server.next();
  await fixture.event("message");
}

/** The time until the next attempt begins to run when the old connection has closed. */
export async function retryDue(fixture: SessionFixture, inMs: number): Promise<void> {
  while (fixture.clock.pending[0] !== inMs) await new Promise((resolve) => setImmediate(resolve));
}
