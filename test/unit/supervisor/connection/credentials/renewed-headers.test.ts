import { describe, expect, it } from "vitest";
import { silentLogger } from "../../../../../src/foundation/logger.ts";
import type { FetchedHeaders } from "../../../../../src/supervisor/connection/credentials/header-source.ts";
import { RenewedHeaders } from "../../../../../src/supervisor/connection/credentials/renewed-headers.ts";
import { ManualClock } from "../../../../support/manual-clock.ts";

/** A source that answers as it is told, and counts. */
function scripted({ intervalMs = 60_000, expiryBufferMs = 300_000 } = {}) {
  const clock = new ManualClock();
  const script = {
    fetched: 0,
    lifetimeMs: 3_600_000 as number | undefined,
    problem: undefined as string | undefined,
  };
  const concerns: (string | undefined)[] = [];
  const source = {
    name: "server.oauth2",
    intervalMs,
    expiryBufferMs,
    async fetch(): Promise<FetchedHeaders> {
      script.fetched += 1;
      if (script.problem !== undefined) throw new Error(script.problem);
      return { headers: { Authorization: `Bearer ${script.fetched}` }, lifetimeMs: script.lifetimeMs };
    },
  };
  const changed = () => concerns.push(renewed.concern);
  const renewed = new RenewedHeaders(source, { clock, logger: silentLogger, changed, random: () => 0 });
  const token = async () => (await renewed.present()).Authorization;
  return { clock, script, renewed, token, concerns };
}

/** Lets time go by, and what was begun then come to its end. */
async function pass(clock: ManualClock, ms: number): Promise<void> {
  clock.advance(ms);
  await new Promise((resolve) => setImmediate(resolve));
}

describe("headers that are renewed", () => {
  it("are fetched once, and again before they end", async () => {
    const { clock, script, token } = scripted();
    expect([await token(), await token()]).toEqual(["Bearer 1", "Bearer 1"]);
    await pass(clock, 3_600_000 - 300_000 - 1);
    expect(script.fetched).toBe(1);
    await pass(clock, 1);
    expect(await token()).toBe("Bearer 2");
  });

  it("that live shorter than the buffer are used for two thirds of their life", async () => {
    const { clock, script, token } = scripted();
    script.lifetimeMs = 9_000;
    expect(await token()).toBe("Bearer 1");
    await pass(clock, 5_999);
    expect(script.fetched).toBe(1);
    await pass(clock, 1);
    expect(script.fetched).toBe(2);
  });

  it("without a known end are fetched at the interval", async () => {
    const { clock, script, token } = scripted();
    script.lifetimeMs = undefined;
    await token();
    await pass(clock, 60_000);
    expect(await token()).toBe("Bearer 2");
  });

  it("are fetched for every connect where the interval is 0", async () => {
    const { script, token } = scripted({ intervalMs: 0 });
    script.lifetimeMs = undefined;
    expect([await token(), await token()]).toEqual(["Bearer 1", "Bearer 2"]);
  });

  it("that the server refuses are fetched at once, and are not used again", async () => {
    const { script, renewed, token } = scripted();
    await token();
    renewed.refuse();
    expect(await token()).toBe("Bearer 2");
    renewed.refuse();
    script.problem = "nobody there";
    await expect(renewed.present()).rejects.toThrow("server.oauth2: nobody there");
  });

  it("are used while they may be good when the source fails; it says so and tries again", async () => {
    const { clock, script, renewed, token, concerns } = scripted();
    await token();
    script.problem = "nobody there";
    await pass(clock, 3_300_000);
    expect(await token()).toBe("Bearer 1");
    expect(concerns).toEqual(["server.oauth2: nobody there"]);
    const tries = script.fetched;
    await pass(clock, 5_000);
    expect(script.fetched).toBe(tries + 1);
    await pass(clock, 295_000);
    await expect(renewed.present()).rejects.toThrow("server.oauth2: nobody there");
    script.problem = undefined;
    expect(await token()).toMatch(/^Bearer/);
    expect(concerns).toEqual(["server.oauth2: nobody there", undefined]);
  });

  it("are not fetched any more once it is over", async () => {
    const { clock, script, renewed, token } = scripted();
    await token();
    renewed.stop();
    await pass(clock, 10_000_000);
    expect(script.fetched).toBe(1);
  });
});
