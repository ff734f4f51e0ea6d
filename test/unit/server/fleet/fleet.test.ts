import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { AgentToServerSchema } from "../../../../src/opamp/messages.ts";
import type { Connection } from "../../../../src/server/fleet/agent.ts";
import { Fleet } from "../../../../src/server/fleet/fleet.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { LogBook, testEvents } from "../test-server.ts";

/** The fleet only tells connections apart and never speaks on them. */
const connection = (id: number): Connection => ({
  id,
  transport: "websocket",
  context: { by: "nothing", credential: undefined, uid: undefined },
  remoteAddress: `10.0.0.${id}`,
  headers: {},
  send: () => false,
  close: () => undefined,
  ping: () => Promise.reject(new Error("not in this test")),
});

const ignored = { heard: () => undefined, noted: () => undefined };

const message = (sequenceNum: bigint) =>
  create(AgentToServerSchema, { instanceUid: new Uint8Array(16).fill(7), sequenceNum, agentDescription: {} });

describe("Fleet", () => {
  it("does not lose an Agent that moved when the connection it left closes (SW6)", () => {
    const log = new LogBook();
    const fleet = new Fleet({
      operatorLabels: { get: () => ({}) },
      clock: new ManualClock(),
      log,
      events: testEvents(),
      pollTimeoutMs: 90_000,
      observer: ignored,
    });
    const [left, taken] = [connection(1), connection(2)];
    fleet.heard(left, message(0n));
    fleet.heard(taken, message(1n));
    fleet.connectionClosed(left, "closed");
    expect(fleet.list()[0]).toMatchObject({ presence: { t: "websocket", connection: taken }, session: 2 });
    expect(log.of("agent_disconnected")).toEqual([]);
    fleet.connectionClosed(taken, "closed");
    expect(fleet.list()[0]?.presence.t).toBe("gone");
  });

  it("keeps time of first and last contact and the address heard last", () => {
    const clock = new ManualClock(1_000);
    const fleet = new Fleet({
      operatorLabels: { get: () => ({}) },
      clock,
      log: new LogBook(),
      events: testEvents(),
      pollTimeoutMs: 90_000,
      observer: ignored,
    });
    fleet.heard(connection(1), message(0n));
    clock.advance(500);
    fleet.heard(connection(2), message(1n));
    expect(fleet.list()).toMatchObject([{ firstSeen: 1_000, lastSeen: 1_500, remoteAddress: "10.0.0.2" }]);
  });
});
