import { expect, it } from "vitest";
import { silentLogger } from "../../../../src/foundation/logger.ts";
import { Collector } from "../../../../src/supervisor/collector/collector.ts";
import type { CollectorEvent } from "../../../../src/supervisor/collector/collector-state.ts";
import { healthOf, launchOf } from "../../../support/collector-rig.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { ScriptedProcess } from "../../../support/scripted-process.ts";

it("a Collector that is healthy before its start is known to be done is running, and observers hear of it", async () => {
  const events: CollectorEvent[] = [];
  const collector: Collector = new Collector({
    clock: new ManualClock(),
    logger: silentLogger,
    log: { position: async () => 0, excerptSince: async () => "" },
    record: async () => undefined,
    spawn: async () => {
      // A busy machine: the supervisor gets to run again only now. The extension says only what changes.
      collector.linked(1, "a");
      collector.reported(1, { health: healthOf(true) });
      return new ScriptedProcess(100);
    },
  });
  collector.observe((event) => events.push(event));
  await collector.run(launchOf("a"), true);
  expect(collector.state.t).toBe("running");
  // Whoever forgets at "starting" what was said before must hear it again.
  expect(events.map((event) => (event.t === "state" ? event.state.t : event.t)).slice(-3)).toEqual([
    "starting",
    "running",
    "health",
  ]);
});
