import { describe, expect, it } from "vitest";
import { DeliveryError } from "../../../../src/server/notifications/delivery.ts";
import type { Notification } from "../../../../src/server/notifications/notification.ts";
import { Outbox } from "../../../../src/server/notifications/outbox.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { LogBook } from "../test-server.ts";

const refused = new DeliveryError("answered with 400", { worthRetrying: false });
const away = new DeliveryError("not reached", { worthRetrying: true });

function outbox(answer: (id: string, signal: AbortSignal) => Promise<void>) {
  const clock = new ManualClock();
  const log = new LogBook();
  const tried: string[] = [];
  const channel = {
    name: "test",
    async send({ id }: Notification, signal: AbortSignal) {
      tried.push(id);
      await answer(id, signal);
    },
  };
  const box = new Outbox({ channel, clock, log, random: () => 0 });
  const post = (id: string) =>
    box.post({
      id,
      kind: "agents.lost",
      severity: "info",
      title: `title ${id}`,
      text: "",
      at: clock.now(),
      about: {},
    });
  return { box, post, clock, log, tried };
}

describe("an outbox", () => {
  it("sends in order, one at a time, and again with growing pauses until it is taken", async () => {
    let failures = 3;
    const { post, clock, tried, log } = outbox(async (id) => {
      if (id !== "a" || failures === 0) return;
      failures -= 1;
      throw away;
    });
    post("a");
    post("b");
    for (const [index, pauseMs] of [1000, 2000, 4000].entries()) {
      await expect.poll(() => clock.pending).toEqual([pauseMs]);
      expect(tried).toEqual(Array.from({ length: index + 1 }, () => "a"));
      clock.advance(pauseMs);
    }
    await expect.poll(() => tried).toEqual(["a", "a", "a", "a", "b"]);
    expect(log.of("notification_lost")).toEqual([]);
  });

  it("goes on with the next where the same again would be refused again, and says so", async () => {
    const { post, tried, log } = outbox(async (id) => {
      if (id === "a") throw refused;
    });
    post("a");
    post("b");
    await expect.poll(() => tried).toEqual(["a", "b"]);
    expect(log.of("notification_lost")).toMatchObject([
      { notification: "a", channel: "test", reason: "answered with 400" },
    ]);
  });

  it("gives up what is older than a day", async () => {
    const { post, clock, log } = outbox(async () => {
      throw away;
    });
    post("a");
    await expect.poll(() => clock.pending).toEqual([1000]);
    clock.jump(25 * 3_600_000);
    clock.advance(1000);
    expect(await log.seen("notification_lost")).toMatchObject({ notification: "a" });
  });

  it("keeps a bounded number, of these the newest, and never breaks off the one on its way", async () => {
    const gate = Promise.withResolvers<void>();
    const { post, tried, log } = outbox(() => gate.promise);
    for (let index = 0; index < 503; index += 1) post(String(index));
    expect(log.of("notification_lost").map(({ notification }) => notification)).toEqual(["1", "2", "3"]);
    gate.resolve();
    await expect.poll(() => tried).toHaveLength(500);
    expect(tried.slice(0, 2)).toEqual(["0", "4"]);
  });

  it("breaks off an attempt that takes too long, and tries again", async () => {
    const { post, clock, tried } = outbox(
      (_id, signal) =>
        new Promise((_resolve, reject) =>
          signal.addEventListener("abort", () => reject(new Error("aborted"))),
        ),
    );
    post("a");
    clock.advance(15_000);
    await expect.poll(() => clock.pending).toEqual([1000]);
    clock.advance(1000);
    expect(tried).toEqual(["a", "a"]);
  });

  it("ends at once when it is closed, with what was not told in the log", async () => {
    const { box, post, log, clock } = outbox(
      (_id, signal) =>
        new Promise((_resolve, reject) =>
          signal.addEventListener("abort", () => reject(new Error("aborted"))),
        ),
    );
    post("a");
    post("b");
    await box.close();
    post("c");
    expect(clock.pending).toEqual([]);
    expect(log.of("notification_lost").map(({ notification }) => notification)).toEqual(["a", "b"]);
  });
});
