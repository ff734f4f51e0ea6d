import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ComponentHealthSchema } from "../../../../src/opamp/messages.ts";
import { findBrokenComponent, type Proof, watchForProof } from "../../../../src/supervisor/change/proof.ts";
import { CollectorRig, configOf, healthOf, launchOf, settled } from "../../../support/collector-rig.ts";

async function proving(mark = "new") {
  const rig = new CollectorRig();
  let kills = 0;
  const watch = watchForProof(rig.collector, {
    mark,
    clock: rig.clock,
    onKilled: () => {
      kills += 1;
      rig.collector.relaunchAfter(launchOf(mark), 0, "killed");
    },
  });
  const release = rig.collector.claim();
  await rig.collector.run(launchOf(mark), false);
  let proof: Proof | undefined;
  void watch.within(5_000).then((result) => {
    proof = result;
  });
  return { rig, watch, release, kills: () => kills, proof: () => settled().then(() => proof) };
}

describe("a proof", () => {
  it("is health and the effective configuration, both on a link with the mark, in any order", async () => {
    for (const parts of [
      [{ health: healthOf(true) }, { effectiveConfig: configOf("x") }],
      [{ effectiveConfig: configOf("x") }, { health: healthOf(true) }],
    ]) {
      const { rig, proof } = await proving();
      const link = rig.link("new");
      for (const part of parts) {
        expect(await proof()).toBeUndefined();
        rig.collector.reported(link, part);
      }
      expect(await proof()).toEqual({ t: "proven" });
    }
  });

  it("is not what a link with another mark says", async () => {
    const { rig, proof } = await proving();
    rig.healthy("old");
    expect(await proof()).toBeUndefined();
    rig.clock.advance(5_000);
    expect(await proof()).toMatchObject({ missing: "the Collector did not connect with this configuration" });
  });

  it("is not put together from two links", async () => {
    const { rig, proof } = await proving();
    rig.collector.reported(rig.link("new"), { effectiveConfig: configOf("x") });
    rig.collector.reported(rig.link("new"), { health: healthOf(true) });
    expect(await proof()).toBeUndefined();
  });

  it("counts a recoverable error as started: a backend that is away is no fault of a configuration", async () => {
    const { rig, proof } = await proving();
    const health = healthOf(false, "StatusRecoverableError");
    rig.collector.reported(rig.link("new"), { effectiveConfig: configOf("x"), health });
    expect(await proof()).toEqual({ t: "proven" });
  });

  it("says at the end of the wait what is missing", async () => {
    const linked = await proving();
    const link = linked.rig.link("new");
    linked.rig.collector.reported(link, { health: healthOf(true) });
    linked.rig.clock.advance(5_000);
    expect(await linked.proof()).toMatchObject({
      t: "timed-out",
      missing: "the Collector did not report its effective configuration",
    });
    const starting = await proving();
    starting.rig.collector.reported(starting.rig.link("new"), {
      effectiveConfig: configOf("x"),
      health: healthOf(false),
    });
    starting.rig.clock.advance(5_000);
    expect(await starting.proof()).toMatchObject({ missing: "the Collector is not healthy: StatusStarting" });
  });

  it("fails at once when the Collector ends, with its last words", async () => {
    const { rig, proof } = await proving();
    rig.process.exit({ code: 1 });
    expect(await proof()).toMatchObject({ t: "exited", exit: { code: 1 }, excerpt: "Error: last words" });
  });

  it("goes on after the first kill from outside, and fails with the second", async () => {
    const { rig, proof, kills } = await proving();
    rig.process.exit({ code: null, signal: "SIGKILL" });
    expect(await proof()).toBeUndefined();
    expect([kills(), rig.processes.length]).toEqual([1, 2]);
    rig.process.exit({ code: null, signal: "SIGTERM" });
    expect(await proof()).toMatchObject({ t: "exited", exit: { signal: "SIGTERM" } });
  });

  it("fails when a component is down for good, however deep", async () => {
    const { rig, proof } = await proving();
    const health = create(ComponentHealthSchema, {
      healthy: false,
      componentHealthMap: {
        "pipeline:logs": {
          componentHealthMap: {
            "receiver:filelog": { status: "StatusPermanentError", lastError: "no such file" },
          },
        },
      },
    });
    rig.collector.reported(rig.link("new"), { health });
    expect(await proof()).toEqual({ t: "broken", reason: "pipeline:logs/receiver:filelog: no such file" });
  });

  it("ends when the supervisor stops the Collector, and not before", async () => {
    const { rig, proof } = await proving();
    expect(await proof()).toBeUndefined();
    await rig.collector.stop();
    expect(await proof()).toMatchObject({ missing: "the supervisor is stopping" });
  });

  it("tells nothing any more once it is cancelled, and leaves no timer", async () => {
    const { rig, watch, proof } = await proving();
    watch.cancel();
    rig.healthy("new");
    rig.clock.advance(10_000);
    expect(await proof()).toBeUndefined();
    expect(rig.clock.pending).toEqual([]);
  });
});

describe("findBrokenComponent", () => {
  it("finds nothing in what is starting, well or only away for a while", () => {
    for (const status of ["StatusStarting", "StatusOK", "StatusRecoverableError", ""]) {
      expect(findBrokenComponent(create(ComponentHealthSchema, { status }))).toBeUndefined();
    }
  });

  it("names the status where there is no text", () => {
    expect(findBrokenComponent(create(ComponentHealthSchema, { status: "StatusFatalError" }))).toBe(
      "StatusFatalError",
    );
  });
});
