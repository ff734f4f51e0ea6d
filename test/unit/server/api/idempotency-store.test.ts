import { describe, expect, it } from "vitest";
import { MemoryIdempotencyStore } from "../../../../src/server/api/idempotency-store.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

function open(maxCharacters = 1_000_000) {
  const clock = new ManualClock();
  return { clock, store: new MemoryIdempotencyStore({ clock, keepMs: 1000, maxCharacters }) };
}

const answer = { status: 200, body: "{}" };

describe("MemoryIdempotencyStore", () => {
  it("lets one of two requests with the same key work", async () => {
    const { store } = open();
    expect(await store.take("a", "one")).toEqual({ t: "taken" });
    expect(await store.take("a", "one")).toEqual({ t: "busy" });
    await store.finish("a", answer);
    expect(await store.take("a", "one")).toEqual({ t: "answered", answer });
    expect(await store.take("a", "two")).toEqual({ t: "other-request" });
  });

  it("gives a key that changed nothing to the next", async () => {
    const { store } = open();
    await store.take("a", "one");
    await store.release("a");
    expect(await store.take("a", "two")).toEqual({ t: "taken" });
  });

  it("forgets an answer in time, but no request that is worked on", async () => {
    const { clock, store } = open();
    await store.take("slow", "one");
    await store.take("a", "one");
    await store.finish("a", answer);
    clock.advance(1001);
    expect(await store.take("a", "two")).toEqual({ t: "taken" });
    expect(await store.take("slow", "one")).toEqual({ t: "busy" });
  });

  it("keeps the newest answers when there are too many", async () => {
    const { store } = open(2500);
    for (const key of ["a", "b", "c"]) {
      await store.take(key, "one");
      await store.finish(key, { status: 200, body: "x".repeat(500) });
    }
    expect(await store.take("c", "one")).toMatchObject({ t: "answered" });
    expect(await store.take("b", "one")).toMatchObject({ t: "answered" });
    expect(await store.take("a", "one")).toEqual({ t: "taken" });
  });
});
