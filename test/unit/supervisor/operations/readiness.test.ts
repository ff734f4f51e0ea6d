import { describe, expect, it } from "vitest";
import { ConfigurationBook, emptyBook } from "../../../../src/supervisor/change/configuration-book.ts";
import { notReadyBecause } from "../../../../src/supervisor/operations/readiness.ts";
import { CollectorRig, launchOf, settled } from "../../../support/collector-rig.ts";

function host({ stopped = false } = {}) {
  const rig = new CollectorRig();
  const common = { contentHash: "c", remoteHash: "aa", packages: null, cause: "remote" } as const;
  const current = stopped ? ({ ...common, id: null, role: "desired" } as const) : null;
  const book = new ConfigurationBook({ ...emptyBook, current }, async () => true);
  return { rig, reason: () => notReadyBecause({ collector: rig.collector, book }) };
}

describe("notReadyBecause", () => {
  it("is nothing once the Collector was healthy on what it was told, as long as its link is up", async () => {
    const { rig, reason } = host();
    expect(reason()).toBe("the Collector is stopped");
    await rig.collector.run(launchOf("a"), true);
    expect(reason()).toBe("the Collector is starting");
    const link = rig.healthy("a");
    expect(reason()).toBeUndefined();
    rig.collector.unlinked(link);
    expect(reason()).toBe("the Collector has no link to the supervisor");
    rig.healthy("a");
    expect(reason()).toBeUndefined();
    rig.process.exit({ code: 1 });
    await settled();
    expect(reason()).toBe("the Collector is stopped");
  });

  it("is nothing where no Collector is to run", () => {
    expect(host({ stopped: true }).reason()).toBeUndefined();
  });
});
