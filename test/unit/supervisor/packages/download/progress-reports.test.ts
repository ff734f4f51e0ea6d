import { describe, expect, it } from "vitest";
import type { DownloadProgress } from "../../../../../src/supervisor/packages/download/contract.ts";
import { ProgressReports } from "../../../../../src/supervisor/packages/download/progress-reports.ts";
import { ManualClock } from "../../../../support/manual-clock.ts";

function reports(receivedBytes = 0) {
  const clock = new ManualClock();
  const told: DownloadProgress[] = [];
  return { clock, told, progress: new ProgressReports(clock, (each) => told.push(each), receivedBytes) };
}

describe("reports of a download's progress", () => {
  it("come at the start, at most once a second, and at the end", () => {
    const { clock, told, progress } = reports(50);
    expect(told).toEqual([
      { receivedBytes: 50, totalBytes: undefined, bytesPerSecond: 0, problem: undefined },
    ]);
    for (let received = 60; received <= 1_050; received += 10) {
      progress.advanced(received, 5_000, 10);
      clock.advance(30);
    }
    expect(told.map(({ receivedBytes }) => receivedBytes)).toEqual([50, 390, 720, 1_050]);
    progress.advanced(1_060, 5_000, 10);
    progress.finish();
    expect(told.at(-1)).toMatchObject({ receivedBytes: 1_060, totalBytes: 5_000 });
    clock.advance(10_000);
    expect(told).toHaveLength(5);
    expect(clock.pending).toEqual([]);
  });

  it("have the rate of what arrived, which is not what was there before", () => {
    const { clock, told, progress } = reports(10_000);
    clock.advance(500);
    progress.advanced(10_700, 20_000, 700);
    clock.advance(500);
    expect(told.at(-1)).toMatchObject({ bytesPerSecond: 700 });
    clock.advance(1_000);
    expect(told.at(-1)).toMatchObject({ bytesPerSecond: 0 });
    clock.advance(60_000);
    expect(told).toHaveLength(3);
  });

  it("have a problem until a byte comes that was never there", () => {
    const { clock, told, progress } = reports(100);
    progress.pausedBy("no route");
    clock.advance(1_000);
    expect(told.at(-1)?.problem).toBe("no route");
    progress.advanced(0, 200, 0);
    progress.advanced(100, 200, 100);
    clock.advance(1_000);
    expect(told.at(-1)).toMatchObject({ receivedBytes: 100, problem: "no route" });
    progress.advanced(101, 200, 1);
    clock.advance(1_000);
    expect(told.at(-1)).toMatchObject({ receivedBytes: 101, problem: undefined });
  });
});
