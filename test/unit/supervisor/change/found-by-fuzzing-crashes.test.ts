import { describe, expect, it } from "vitest";
import { World, type WorldOptions } from "../../../support/world.ts";
import { offerOf } from "../../../support/world-actions.ts";
import { problemsOf } from "../../../support/world-problems.ts";

/** What the property test found with a supervisor that dies, each as small as it can be. */

async function started(options: Partial<WorldOptions> = {}): Promise<World> {
  const world = new World(options);
  await world.startSupervisor();
  await world.advance(6_000);
  return world;
}

/** Offers, and waits until the probation is over. */
async function keep(world: World, hash: string): Promise<void> {
  await world.offer(offerOf(hash));
  await world.advance(60_000);
}

describe("a supervisor that died", () => {
  it("between quarantine and way back leaves nothing quarantined running", async () => {
    for (let effect = 1; effect <= 16; effect += 1) {
      const world = await started();
      await world.offer(offerOf("breaks"));
      await world.advance(200);
      await world.killSupervisor({ effect, when: "before" });
      await world.advance(10_000);
      await world.settle();
      expect([effect, problemsOf(world)]).toEqual([effect, []]);
    }
  });

  it("does not end a probation before the Collector has dialled again", async () => {
    const world = await started();
    await world.offer(offerOf("breaks"));
    await world.advance(1_000);
    await world.killSupervisor();
    // By now the extension waits a minute between its dials.
    await world.advance(310_000);
    await world.startSupervisor();
    await world.settle();
    expect(world.story.at(-1)).toBe("FAILED breaks");
    expect(problemsOf(world)).toEqual([]);
  });

  it("after it installed and before it ran a candidate, on a disk that is full now", async () => {
    for (let effect = 14; effect <= 24; effect += 1) {
      const world = await started();
      await world.editLocal({ "local.yaml": "is: dies-at-start" });
      await world.killSupervisor({ effect, when: "before" });
      await world.advance(1_000);
      await world.startSupervisor();
      world.disk.full = true;
      await world.killCollector();
      await world.advance(60_000);
      await world.settle();
      expect([effect, problemsOf(world)]).toEqual([effect, []]);
    }
  });

  it("and left a local change does not have it undo the order to stop", async () => {
    const world = new World();
    world.validateHangs = true;
    await world.startSupervisor();
    await world.offer(offerOf("stop"));
    await world.killSupervisor({ effect: 11, when: "before" });
    await world.advance(310_000);
    await world.startSupervisor();
    await world.restartCommand();
    await world.settle();
    expect(world.running).toBeUndefined();
    expect(problemsOf(world)).toEqual([]);
  });

  it("and left a local change does not have it undo what the server offered since", async () => {
    const world = new World({
      localFiles: { "local.yaml": "is: good local" },
      fallback: "is: good fallback",
    });
    world.validateHangs = true;
    await world.startSupervisor();
    await world.killSupervisor({ effect: 11, when: "before" });
    await world.advance(310_000);
    await world.offer(offerOf("good1"));
    await world.startSupervisor();
    await world.restartCommand();
    await world.settle();
    expect(world.running?.text?.remote).toBe("good one");
    expect(problemsOf(world)).toEqual([]);
  });

  it("while it kept one that only got another name leaves its probation to the next one", async () => {
    for (let effect = 18; effect <= 28; effect += 1) {
      const world = new World({ mayReload: false });
      await world.startSupervisor();
      await world.leave("stop");
      await world.startSupervisor();
      await world.offer(offerOf("breaks"));
      await world.killSupervisor({ effect, when: "before" });
      await world.advance(310_000);
      await world.settle();
      expect([effect, world.story.at(-1), problemsOf(world)]).toEqual([effect, "FAILED breaks", []]);
    }
  });

  it("in a crash loop has its verdict taken back under whatever name it runs", async () => {
    const world = await started();
    await world.offer(offerOf("good1"));
    await world.advance(310_000);
    world.host.portTaken = true;
    await world.killCollector();
    await world.advance(310_000);
    expect(world.story.at(-1)).toBe("FAILED good1");
    await world.editLocal({ "local.yaml": "is: good local" });
    await world.killSupervisor();
    await world.settle();
    expect(world.story.at(-1)).toBe("APPLIED good1");
    expect(problemsOf(world)).toEqual([]);
  });

  it("over a reload leaves one that is found out by its link", async () => {
    for (let effect = 16; effect <= 26; effect += 1) {
      const world = await started();
      await world.killSupervisor({ effect, when: "before" });
      await world.offer(offerOf("good1"));
      await world.advance(60);
      await world.startSupervisor();
      await world.leave("hand-over");
      await world.settle();
      expect([effect, problemsOf(world)]).toEqual([effect, []]);
    }
  });

  it("while it was handing over took nothing back that it could not start", async () => {
    for (let effect = 3; effect <= 12; effect += 1) {
      const world = await started();
      await world.offer(offerOf("malformed"));
      await world.killSupervisor({ effect, when: "before" });
      await world.freezeCollector();
      await world.leave("hand-over");
      await world.settle();
      expect([effect, problemsOf(world)]).toEqual([effect, []]);
    }
  });

  it("while it kept a slow starter leaves the reference's file to the next one", async () => {
    for (let effect = 14; effect <= 24; effect += 1) {
      const world = await started();
      await world.killSupervisor({ effect, when: "before" });
      await world.offer(offerOf("late"));
      await world.advance(9_100);
      await world.settle();
      expect([effect, problemsOf(world)]).toEqual([effect, []]);
    }
  });

  it("remembers the order to stop when own telemetry is offered to the next one", async () => {
    const world = await started();
    await keep(world, "stop");
    await world.killSupervisor();
    await world.startSupervisor();
    await world.offerOwnTelemetry("http://a");
    await world.settle();
    expect(problemsOf(world)).toEqual([]);
  });
});
