import { create } from "@bufbuild/protobuf";
import { type ComponentHealth, ComponentHealthSchema } from "../../opamp/messages.ts";
import type { CollectorState } from "../collector/collector-state.ts";
import type { Role } from "../collector/role.ts";

/** Components that stand for parts of the connection to the server, and what is the matter with one that is named. */
const connectionParts = { certificates: "expiring", credentials: "failing" } as const;
type ConnectionPart = keyof typeof connectionParts;
const partNames: readonly ConnectionPart[] = ["certificates", "credentials"];

/** What the health report is made from. */
export interface HealthFacts {
  state: CollectorState;
  /** What the Collector last said of itself in this launch. */
  reported: ComponentHealth | undefined;
  /** What kind of configuration runs; "stopped" on the server's order, "none" before the first one. */
  running: Role | "stopped" | "none";
  /** The verdict on the newest remote configuration, if it failed: its first line. */
  failure: string | undefined;
  /** Why nothing runs, when the last start or run ended. */
  lastExit: string | undefined;
  /** What is to be said of certificates that end soon, and of credentials that cannot be renewed. */
  concerns: Readonly<Record<ConnectionPart, readonly string[]>>;
  /** Milliseconds since the Unix epoch. */
  now: number;
}

/**
 * The agent's health as the server sees it: the Collector's own words, and what it is that really runs.
 * A Collector on anything but the desired configuration says so, and an empty one that stands in for a
 * configuration that failed is never healthy.
 */
export function describeHealth(facts: HealthFacts): ComponentHealth {
  const health = describeCollector(facts);
  const at = BigInt(facts.now) * 1_000_000n;
  const concerns = partNames.flatMap((part) => {
    const texts = facts.concerns[part];
    return texts.length === 0
      ? []
      : [[part, unhealthy(connectionParts[part], texts.join("; "), at)] as const];
  });
  if (concerns.length === 0) return health;
  // The Collector is none the worse for it: its own health stands.
  return { ...health, componentHealthMap: { ...health.componentHealthMap, ...Object.fromEntries(concerns) } };
}

/** What two reports say of the connection is the same. */
export function sameConcerns(a: ComponentHealth | undefined, b: ComponentHealth): boolean {
  const said = (health: ComponentHealth | undefined, part: ConnectionPart) =>
    health?.componentHealthMap[part]?.lastError;
  return partNames.every((part) => said(a, part) === said(b, part));
}

function describeCollector(facts: HealthFacts): ComponentHealth {
  const { state, running, failure } = facts;
  const at = BigInt(facts.now) * 1_000_000n;
  if (running === "stopped" && !("process" in state)) {
    return create(ComponentHealthSchema, {
      healthy: true,
      status: "stopped by an empty configuration",
      statusTimeUnixNano: at,
    });
  }
  switch (state.t) {
    case "running":
    case "starting":
      return withRole(facts.reported ?? unreported(state, at), running, failure);
    case "stopping":
      return unhealthy("stopping", "the Collector is being stopped", at);
    case "backing-off":
    case "held":
      return unhealthy(
        state.t,
        `${state.t === "held" ? "nothing starts; tried again later" : "waiting to restart"}: ${state.reason}`,
        at,
      );
    case "stopped":
      return unhealthy("stopped", facts.lastExit ?? "the Collector is not running", at);
  }
}

function unreported(state: CollectorState & { t: "running" | "starting" }, at: bigint): ComponentHealth {
  if (state.t === "starting") return unhealthy("starting", "the Collector is starting", at);
  // It was healthy when its former supervisor last wrote it down, and it lives.
  return create(ComponentHealthSchema, { healthy: true, status: "adopted", statusTimeUnixNano: at });
}

function withRole(
  health: ComponentHealth,
  running: HealthFacts["running"],
  failure: string | undefined,
): ComponentHealth {
  if (running === "desired" || running === "none" || running === "stopped") return health;
  const status = `${running}: ${health.status}`;
  if (running !== "bootstrap" || failure === undefined)
    return create(ComponentHealthSchema, { ...health, status });
  const lastError = `running the empty bootstrap configuration, because: ${failure}`;
  return create(ComponentHealthSchema, { ...health, healthy: false, status, lastError });
}

function unhealthy(status: string, lastError: string, at: bigint): ComponentHealth {
  return create(ComponentHealthSchema, { healthy: false, status, lastError, statusTimeUnixNano: at });
}
