import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import type { Clock } from "../../../../src/foundation/clock.ts";
import { parseInstanceUid } from "../../../../src/opamp/instance-uid.ts";
import { AgentToServerSchema, ServerErrorResponseType } from "../../../../src/opamp/messages.ts";
import type { Connection } from "../../../../src/server/fleet/agent.ts";
import { Overload } from "../../../../src/server/operations/overload.ts";
import { LogBook } from "../test-server.ts";

const here = "01944a9c-5dea-7a7e-8000-7e57ab1e0001";
const messageOf = (id: string, agentDisconnect?: object) =>
  create(AgentToServerSchema, {
    instanceUid: parseInstanceUid(id)!,
    agentDescription: {},
    remoteConfigStatus: {},
    ...(agentDisconnect && { agentDisconnect }),
  });
const newcomer = messageOf("01944a9c-5dea-7a7e-8000-7e57ab1e0002");
const connection = { id: 1 } as Connection;

/** A process whose timers come as late as the test says. */
function process() {
  let now = 0;
  let timer: (() => void) | undefined;
  const clock: Clock = {
    now: () => now,
    monotonic: () => now,
    setTimer(delayMs, callback) {
      timer = () => {
        now += delayMs;
        callback();
      };
      return { cancel: () => (timer = undefined) };
    },
  };
  const log = new LogBook();
  const overload = new Overload({
    fleet: { isHere: (each, id) => each === connection && id === here },
    clock,
    log,
    random: () => 0.5,
  });
  return {
    overload,
    log,
    late: (byMs: number) => {
      now += byMs;
      timer?.();
    },
    isWatched: () => timer !== undefined,
  };
}

describe("a process that cannot keep up", () => {
  it("SE3: sends newcomers away for a while with UNAVAILABLE, until it keeps up again", () => {
    const { overload, late, log } = process();
    late(3_900);
    expect(overload.refusal(connection, newcomer)).toBeUndefined();
    late(4_000);
    expect(overload.refusal(connection, newcomer)).toMatchObject({
      errorResponse: {
        type: ServerErrorResponseType.ServerErrorResponseType_Unavailable,
        details: { case: "retryInfo", value: { retryAfterNanoseconds: 12_500_000_000n } },
      },
    });
    late(1_100);
    expect(overload.refusal(connection, newcomer)).toBeDefined();
    late(900);
    expect(overload.refusal(connection, newcomer)).toBeUndefined();
    expect(log.lines.map(({ event }) => event)).toEqual(["overloaded", "overload_over"]);
    expect(log.of("overload_over")[0]).toMatchObject({ sent_away: 2 });
  });

  it("goes on hearing those that are here, whatever they say, and good-byes", () => {
    const { overload, late } = process();
    late(10_000);
    expect(overload.refusal(connection, messageOf(here))).toBeUndefined();
    expect(overload.refusal({ ...connection }, messageOf(here))).toBeDefined();
    expect(
      overload.refusal(connection, messageOf("01944a9c-5dea-7a7e-8000-7e57ab1e0002", {})),
    ).toBeUndefined();
  });

  it("is watched until it is closed", () => {
    const { overload, isWatched } = process();
    overload.close();
    expect(isWatched()).toBe(false);
  });
});
