import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { Heartbeat } from "../../../../src/opamp/agent/heartbeat.ts";
import { AgentCapability } from "../../../../src/opamp/bits.ts";
import { ServerToAgentSchema } from "../../../../src/opamp/messages.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

const able = AgentCapability.ReportsHeartbeat;

function offer(heartbeatIntervalSeconds: bigint) {
  return create(ServerToAgentSchema, { connectionSettings: { opamp: { heartbeatIntervalSeconds } } });
}

function start({ intervalMs = 30_000, polls = false } = {}) {
  const clock = new ManualClock();
  let beats = 0;
  const heartbeat = new Heartbeat(clock, { intervalMs, polls }, () => {
    beats += 1;
  });
  heartbeat.restart();
  const beatsIn = (ms: number) => {
    beats = 0;
    clock.advance(ms);
    return beats;
  };
  return { heartbeat, beatsIn };
}

describe("Heartbeat", () => {
  it("AN10 beats when nothing was sent for an interval", () => {
    const { heartbeat, beatsIn } = start();
    expect(beatsIn(29_999)).toBe(0);
    heartbeat.restart();
    expect(beatsIn(29_999)).toBe(0);
    expect(beatsIn(1)).toBe(1);
    expect(beatsIn(60_000)).toBe(2);
  });

  it("AN9 takes an offered interval at once", () => {
    const { heartbeat, beatsIn } = start();
    heartbeat.negotiate(offer(1n), able);
    expect(beatsIn(3_000)).toBe(3);
  });

  it("AN9 takes no offer without the ReportsHeartbeat capability", () => {
    const { heartbeat, beatsIn } = start();
    heartbeat.negotiate(offer(1n), AgentCapability.ReportsStatus);
    expect(beatsIn(29_999)).toBe(0);
  });

  it("P6 a zero that may mean unset switches nothing off", () => {
    const { heartbeat, beatsIn } = start();
    heartbeat.negotiate(offer(0n), able);
    expect(beatsIn(30_000)).toBe(1);
  });

  it("D1 a zero after an interval that was offered switches off", () => {
    const { heartbeat, beatsIn } = start();
    heartbeat.negotiate(offer(1n), able);
    heartbeat.negotiate(offer(0n), able);
    expect(beatsIn(120_000)).toBe(0);
  });

  it("D1 over plain HTTP there is no zero", () => {
    const { heartbeat, beatsIn } = start({ intervalMs: 0, polls: true });
    expect(beatsIn(30_000)).toBe(1);
    heartbeat.negotiate(offer(1n), able);
    heartbeat.negotiate(offer(0n), able);
    expect(beatsIn(30_000)).toBe(1);
  });

  it("an absurdly long offer cannot silence the agent for more than a day", () => {
    const { heartbeat, beatsIn } = start();
    heartbeat.negotiate(offer(2n ** 63n), able);
    expect(beatsIn(24 * 60 * 60_000)).toBe(1);
  });
});
