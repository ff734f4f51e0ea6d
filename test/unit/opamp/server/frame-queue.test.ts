import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { FrameQueue } from "../../../../src/opamp/server/frame-queue.ts";

const mebibyte = 1024 * 1024;

function start(maxMessageBytes: number) {
  const calls: string[] = [];
  const gate = Promise.withResolvers<void>();
  const handled: number[] = [];
  const queue = new FrameQueue(maxMessageBytes, {
    handle: async (frame) => {
      await gate.promise;
      handled.push(frame[0] ?? -1);
    },
    pause: () => calls.push("pause"),
    resume: () => calls.push("resume"),
    overflow: () => calls.push("overflow"),
  });
  return { queue, calls, handled, open: gate.resolve };
}

describe("FrameQueue", () => {
  it("pauses once when many frames wait, and resumes when all are handled", async () => {
    const { queue, calls, handled, open } = start(mebibyte);
    for (let index = 0; index < 100; index += 1) queue.push(Buffer.of(index), true);
    expect(calls).toEqual(["pause"]);
    expect(queue.busy).toBe(true);
    open();
    await queue.drained();
    expect(calls).toEqual(["pause", "resume"]);
    expect(handled).toEqual(Array.from({ length: 100 }, (_, index) => index));
    expect(queue.busy).toBe(false);
  });

  it("pauses when few frames are large", () => {
    const { queue, calls } = start(1000);
    queue.push(Buffer.alloc(1000), true);
    expect(calls).toEqual([]);
    queue.push(Buffer.alloc(1), true);
    expect(calls).toEqual(["pause"]);
  });

  it("gives up on a peer whose frames come in spite of the pause, and drops what waits", async () => {
    const { queue, calls, handled, open } = start(mebibyte);
    for (let index = 0; index < 5; index += 1) queue.push(Buffer.alloc(mebibyte, index), true);
    expect(calls).toEqual(["pause", "overflow"]);
    open();
    await queue.drained();
    expect(handled).toEqual([0]);
  });

  it("a burst of small frames is no overflow, however small the largest message may be", () => {
    const { queue, calls } = start(100);
    for (let index = 0; index < 1000; index += 1) queue.push(Buffer.alloc(50), true);
    expect(calls).toEqual(["pause"]);
  });

  it("leaves others their turn between the frames of one burst", async () => {
    let handled = 0;
    const ignore = () => undefined;
    const handle = async () => {
      handled += 1;
    };
    const queue = new FrameQueue(mebibyte, { handle, pause: ignore, resume: ignore, overflow: ignore });
    for (let index = 0; index < 1_000; index += 1) queue.push(Buffer.of(0), true);
    await nextTurn();
    expect(handled).toBeLessThan(1_000);
    await queue.drained();
    expect(handled).toBe(1_000);
  });
});
