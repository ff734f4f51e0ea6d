import { describe, expect, it } from "vitest";
import type { PackagesView, PackageView } from "../../../../src/supervisor/packages/statuses.ts";
import { InstallDurations } from "../../../../src/supervisor/telemetry/install-durations.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

const label = { version: "1", hash: "aa" };
const view = (...states: PackageView["state"][]): PackagesView => ({
  packages: states.map((state) => ({ name: "otelcol", held: label, offered: label, state }) as PackageView),
});

describe("the duration of an installation", () => {
  it("is from the offer to its end, whatever the wall clock does meanwhile", () => {
    const clock = new ManualClock();
    const durations = new InstallDurations(clock);
    durations.changed(view({ t: "pending" }));
    clock.advance(2_000);
    clock.jump(1e12);
    durations.changed(view({ t: "downloading", percent: 1, bytesPerSecond: 1 }));
    clock.advance(3_000);
    durations.changed(view({ t: "installing" }));
    expect(durations.points()).toEqual([]);
    durations.changed(view({ t: "installed" }));
    clock.advance(9_000);
    durations.changed(view({ t: "installed" }));
    const labels = { package: "otelcol", status: "installed" };
    expect(durations.points()).toEqual([{ value: 5, labels }]);
  });

  it("is that of the last attempt, and is forgotten with the package", () => {
    const clock = new ManualClock();
    const durations = new InstallDurations(clock);
    for (const seconds of [4, 6]) {
      durations.changed(view({ t: "pending" }));
      clock.advance(seconds * 1_000);
      durations.changed(view({ t: "failed", reason: "no" }));
    }
    expect(durations.points()).toEqual([{ value: 6, labels: { package: "otelcol", status: "failed" } }]);
    durations.changed(view());
    expect(durations.points()).toEqual([]);
  });

  it("is not known of what was there before this process", () => {
    const durations = new InstallDurations(new ManualClock());
    durations.changed(view({ t: "installed" }));
    expect(durations.points()).toEqual([]);
  });
});
