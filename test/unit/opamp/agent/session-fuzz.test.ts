import { setImmediate as nextTick } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AgentCapability } from "../../../../src/opamp/bits.ts";
import { goodOffers, gzipBomb, hostileBytes } from "../../../support/hostile-bytes.ts";
import { makeSession, startServer } from "./session-fixture.ts";

const hostile = hostileBytes(goodOffers);
const everything = Object.values(AgentCapability).reduce((bits, bit) => bits | bit, 0n);

describe.each(["ws", "http"] as const)("a session over %s and a hostile server", (transport) => {
  it("survives any bytes, and obeys the next good answer", async () => {
    const server = await startServer();
    const fixture = makeSession(server.url(transport));
    fixture.state.setCapabilities(everything);
    const pending: Uint8Array[] = [];
    server.reply = () => {
      const bytes = pending.shift();
      return bytes === undefined
        ? { message: { remoteConfig: { configHash: new Uint8Array([7]) } } }
        : { bytes };
    };
    fixture.session.start();
    await fixture.event("message");

    // Time is moved until it happened: a refused connection is tried again after a back-off.
    const happens = async (condition: () => boolean) => {
      for (let turn = 0; !condition(); turn += 1) {
        expect(turn, "turns without an exchange").toBeLessThan(20_000);
        await nextTick();
        if (turn % 20 === 0) fixture.clock.advance(1_000);
      }
    };
    const goodAnswers = () =>
      fixture.events.filter(
        (event) => event.t === "message" && event.message.remoteConfig?.configHash[0] === 7,
      ).length;

    await fc.assert(
      fc.asyncProperty(hostile, async (bytes) => {
        pending.push(bytes);
        await happens(() => pending.length === 0);
        const before = goodAnswers();
        await happens(() => goodAnswers() > before);
      }),
      { numRuns: Number(process.env.FUZZ_RUNS ?? 60) },
    );
  });

  it("AH8 AW4 does not inflate a bomb", async () => {
    const server = await startServer({ deflate: true });
    const fixture = makeSession(server.url(transport), { settings: { maxMessageBytes: 1024 * 1024 } });
    const bomb = 64 * 1024 * 1024;
    const before = process.memoryUsage().rss;
    server.reply = () =>
      transport === "http"
        ? { bytes: gzipBomb(bomb), headers: { "content-encoding": "gzip" } }
        : { bytes: new Uint8Array(bomb) };
    fixture.session.start();
    const failure = await Promise.race([fixture.event("failed"), fixture.event("disconnected")]);
    expect(JSON.stringify(failure)).toMatch(/1009|too large|limit|larger|size/i);
    // The scripted server itself holds one copy of the bomb.
    expect(process.memoryUsage().rss - before).toBeLessThan(2.5 * bomb);
  });
});
