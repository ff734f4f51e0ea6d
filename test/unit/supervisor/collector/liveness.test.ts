import { describe, expect, it } from "vitest";
import { Liveness } from "../../../../src/supervisor/collector/liveness.ts";
import { CollectorRig, healthOf, launchOf, settled } from "../../../support/collector-rig.ts";
import { ScriptedProcess } from "../../../support/scripted-process.ts";

const timeoutMs = 30_000;

function watched() {
  const rig = new CollectorRig();
  const liveness = new Liveness({ collector: rig.collector, clock: rig.clock, timeoutMs });
  liveness.start();
  const hung = () => rig.events.flatMap((event) => (event.t === "exited" ? [event.hung] : []));
  return { rig, liveness, hung };
}

describe("Liveness", () => {
  it("kills what never gets past starting, whatever it reports meanwhile", async () => {
    const { rig, hung } = watched();
    await rig.collector.run(launchOf("a"), false);
    for (let second = 0; second < 29; second += 1) {
      rig.clock.advance(1_000);
      rig.collector.reported(rig.link("a"), { health: healthOf(false) });
    }
    expect(rig.process.alive).toBe(true);
    rig.clock.advance(1_000);
    await settled();
    expect(hung()).toEqual(["it never got past starting"]);
  });

  it("leaves a healthy Collector alone that has nothing to say", async () => {
    const { rig } = watched();
    await rig.running("a");
    rig.clock.advance(24 * 60 * 60_000);
    expect(rig.process.alive).toBe(true);
  });

  it("kills a Collector that lost its link and does not dial again for 90 s", async () => {
    const { rig, hung } = watched();
    await rig.collector.run(launchOf("a"), false);
    const id = rig.healthy("a");
    rig.collector.unlinked(id);
    rig.clock.advance(89_999);
    expect(rig.process.alive).toBe(true);
    rig.clock.advance(1);
    await settled();
    expect(hung()).toEqual(["it has no link to the supervisor"]);
  });

  it("does not kill one that dialled again in time", async () => {
    const { rig } = watched();
    await rig.collector.run(launchOf("a"), false);
    rig.collector.unlinked(rig.healthy("a"));
    rig.clock.advance(60_000);
    rig.link("a");
    rig.clock.advance(200_000);
    expect(rig.process.alive).toBe(true);
  });

  it.each([true, false])("gives an adopted one 90 s to dial, was it healthy: %s", async (wasHealthy) => {
    const { rig } = watched();
    const process = new ScriptedProcess(7, { adopted: true });
    await rig.collector.adopt(process, launchOf("a"), wasHealthy);
    rig.clock.advance(89_999);
    expect(process.alive).toBe(true);
    rig.clock.advance(1);
    expect(process.alive).toBe(false);
  });

  it("kills one that does not answer a ping", async () => {
    const { rig, liveness, hung } = watched();
    await rig.running("a");
    liveness.unanswered();
    await settled();
    expect(hung()).toEqual(["it does not answer on its link any more"]);
  });

  it("leaves a claimed one to its claimant, and takes it up again when he lets go", async () => {
    const { rig, liveness } = watched();
    const release = rig.collector.claim();
    await rig.collector.run(launchOf("a"), false);
    rig.clock.advance(timeoutMs);
    liveness.unanswered();
    expect(rig.process.alive).toBe(true);
    release();
    rig.clock.advance(timeoutMs);
    expect(rig.process.alive).toBe(false);
  });

  it("does nothing once it is stopped", async () => {
    const { rig, liveness } = watched();
    await rig.collector.run(launchOf("a"), false);
    liveness.stop();
    rig.clock.advance(1_000_000);
    expect(rig.process.alive).toBe(true);
    expect(rig.clock.pending).toEqual([]);
  });
});
