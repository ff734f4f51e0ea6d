import { describe, expect, it } from "vitest";
import { RestartPolicy } from "../../../../src/supervisor/collector/restart-policy.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

function makePolicy(
  overrides: { clock?: ManualClock; maxExits?: number; windowMs?: number; random?: number } = {},
) {
  const { clock = new ManualClock(), maxExits = 5, windowMs = 600_000, random = 0 } = overrides;
  const policy = new RestartPolicy({ clock, maxExits, windowMs, random: () => random });
  return { clock, policy };
}

describe("RestartPolicy", () => {
  it("restarts at once after the first exit, then waits longer and longer up to 30 s", () => {
    const { policy } = makePolicy({ maxExits: 100 });
    const delays = Array.from({ length: 9 }, () => policy.recordExit().delayMs);
    expect(delays).toEqual([0, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  });

  it("spreads the waits, and never waits less than half of the bound", () => {
    const { policy } = makePolicy({ maxExits: 100, random: 0.999_999 });
    const delays = Array.from({ length: 6 }, () => policy.recordExit().delayMs);
    expect(delays).toEqual([0, 250, 500, 1_000, 2_000, 4_000]);
  });

  it("knows one that dies at once for a crash loop within five seconds, at the default settings", () => {
    const { policy } = makePolicy({ maxExits: 4, windowMs: 60_000 });
    const exits = Array.from({ length: 5 }, () => policy.recordExit());
    expect(exits.map(({ crashLoop }) => crashLoop)).toEqual([false, false, false, false, true]);
    const waited = exits.slice(0, 4).reduce((sum, { delayMs }) => sum + delayMs, 0);
    expect(waited).toBeLessThanOrEqual(3_500);
  });

  it("starts the delays over after a minute of health, and not before", () => {
    const { clock, policy } = makePolicy({ maxExits: 100 });
    policy.recordExit();
    policy.recordHealthy();
    clock.advance(59_999);
    expect(policy.recordExit()).toMatchObject({ attempt: 2, delayMs: 500 });
    policy.recordHealthy();
    clock.advance(30_000);
    policy.recordHealthy();
    clock.advance(30_000);
    expect(policy.recordExit()).toMatchObject({ attempt: 1, delayMs: 0 });
  });

  it("measures health without the wall clock, and health that was interrupted does not count", () => {
    const { clock, policy } = makePolicy({ maxExits: 100 });
    policy.recordExit();
    policy.recordHealthy();
    clock.jump(3_600_000);
    expect(policy.recordExit().attempt).toBe(2);
    policy.recordHealthy();
    clock.advance(50_000);
    policy.recordUnhealthy();
    policy.recordHealthy();
    clock.advance(50_000);
    expect(policy.recordExit().attempt).toBe(3);
  });

  it("calls more exits than allowed within the window a crash loop", () => {
    const { clock, policy } = makePolicy({ maxExits: 3, windowMs: 60_000 });
    const verdicts = Array.from({ length: 4 }, () => {
      clock.advance(1_000);
      return policy.recordExit().crashLoop;
    });
    expect(verdicts).toEqual([false, false, false, true]);
    clock.advance(57_000);
    expect(policy.recordExit().crashLoop).toBe(true);
    clock.advance(59_999);
    expect(policy.recordExit().crashLoop).toBe(false);
  });

  it("sees a slow crash loop: health between the exits does not empty the window", () => {
    const { clock, policy } = makePolicy({ maxExits: 2, windowMs: 600_000 });
    const decisions = Array.from({ length: 3 }, () => {
      policy.recordHealthy();
      clock.advance(90_000);
      return policy.recordExit();
    });
    expect(decisions.map(({ crashLoop }) => crashLoop)).toEqual([false, false, true]);
    expect(decisions.map(({ delayMs }) => delayMs)).toEqual([0, 0, 0]);
  });

  it("forgets everything when the configuration changes", () => {
    const { policy } = makePolicy({ maxExits: 1 });
    policy.recordExit();
    expect(policy.recordExit().crashLoop).toBe(true);
    policy.recordConfigurationChanged();
    expect(policy.recordExit()).toEqual({ delayMs: 0, crashLoop: false, attempt: 1 });
  });

  it("keeps counting across a restart of the host", () => {
    const { clock, policy } = makePolicy({ maxExits: 3 });
    policy.recordExit();
    policy.recordExit();
    policy.recordExit();
    const saved: unknown = JSON.parse(JSON.stringify(policy.snapshot()));
    clock.advance(1_000);
    const { policy: next } = makePolicy({ clock, maxExits: 3 });
    next.restore(saved as ReturnType<RestartPolicy["snapshot"]>);
    expect(next.recordExit()).toEqual({ attempt: 4, crashLoop: true, delayMs: 2_000 });
  });

  it("drops exits of the future and nonsense when the clock was set back or the file is damaged", () => {
    const { clock, policy } = makePolicy({ maxExits: 1 });
    policy.recordExit();
    clock.jump(-3_600_000);
    expect(policy.recordExit().crashLoop).toBe(false);
    policy.restore({ exits: [Number.NaN, clock.now() + 1, Number.POSITIVE_INFINITY], attempt: -4 });
    expect(policy.snapshot()).toEqual({ exits: [], attempt: 0 });
  });

  it("keeps no more exits than it needs", () => {
    const { policy } = makePolicy({ maxExits: 3 });
    for (let count = 0; count < 50; count += 1) policy.recordExit();
    expect(policy.snapshot().exits).toHaveLength(4);
  });
});
