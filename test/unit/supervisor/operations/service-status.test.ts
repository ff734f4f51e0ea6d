import { describe, expect, it } from "vitest";
import type { CollectorState } from "../../../../src/supervisor/collector/collector-state.ts";
import { describeService, type ServiceParts } from "../../../../src/supervisor/operations/service-status.ts";

type State = CollectorState["t"];

/** What matters of the parts. */
function parts(t: State, healthy: boolean, running: ServiceParts["reporter"]["running"], connected: boolean) {
  const process = t === "running" ? { pid: 4711 } : undefined;
  const collector = { state: { t }, process } as ServiceParts["collector"];
  return { collector, reporter: { running }, healthy, upstream: { presence: { connected } } };
}

describe("describeService", () => {
  it.each([
    [
      parts("running", true, "desired", true),
      "Collector 4711 is well, on the desired configuration; server connected",
    ],
    [
      parts("running", false, "last-known-good", false),
      "Collector 4711 is unhealthy, on the last configuration known to be good; server not reached",
    ],
    [
      parts("backing-off", false, "desired", true),
      "Collector is backing-off, on the desired configuration; server connected",
    ],
    [parts("stopped", true, "stopped", true), "Collector is stopped by the server's order; server connected"],
    [
      parts("stopped", false, "none", false),
      "Collector is stopped, without a configuration; server not reached",
    ],
  ])("says what runs (%#)", (given, line) => {
    expect(describeService(given)).toBe(line);
  });
});
