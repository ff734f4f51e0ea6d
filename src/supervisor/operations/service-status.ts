import type { Collector } from "../collector/collector.ts";
import type { Upstream } from "../connection/upstream.ts";
import type { Reporter } from "../report/reporter.ts";

/** What the line is made from. */
export interface ServiceParts {
  collector: Pick<Collector, "state" | "process">;
  reporter: Pick<Reporter, "running">;
  /** As the server is told. */
  healthy: boolean;
  upstream: { presence: Pick<Upstream["presence"], "connected"> };
}

const configurations: Readonly<Record<ServiceParts["reporter"]["running"], string>> = {
  desired: "on the desired configuration",
  "last-known-good": "on the last configuration known to be good",
  fallback: "on a fallback configuration",
  bootstrap: "on an empty configuration",
  stopped: "on the server's order to stop",
  none: "without a configuration",
};

/** What runs, in one line for a service manager: `Collector 4711 is well, on the desired configuration; …`. */
export function describeService({ collector, reporter, healthy, upstream }: ServiceParts): string {
  const { state, process } = collector;
  const server = upstream.presence.connected ? "server connected" : "server not reached";
  const { running } = reporter;
  if (running === "stopped" && process === undefined)
    return `Collector is stopped by the server's order; ${server}`;
  const name = process === undefined ? "Collector" : `Collector ${process.pid}`;
  const health = healthy ? "is well" : state.t === "running" ? "is unhealthy" : `is ${state.t}`;
  return `${name} ${health}, ${configurations[running]}; ${server}`;
}
