import { describe, expect, it } from "vitest";
import { World, type WorldOptions } from "../../../support/world.ts";
import { offerOf } from "../../../support/world-actions.ts";
import { problemsOf } from "../../../support/world-problems.ts";

/** What the property test found, each as small as it can be. */

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

describe("a host that never had a configuration", () => {
  it.each(["hangs", "mute", "slowdies"])(
    "goes back to the empty one when a slow starter never starts: %s",
    async (hash) => {
      const world = await started();
      await world.offer(offerOf(hash));
      await world.settle();
      expect(world.book.current?.role).toBe("bootstrap");
      expect(problemsOf(world)).toEqual([]);
    },
  );

  it.each(["dies", "segfaults", "breaks"])(
    "is no worse off for one that fails on probation: %s",
    async (hash) => {
      const world = await started();
      await world.offer(offerOf(hash));
      await world.settle();
      expect(world.story).toEqual([`APPLYING ${hash}`, `APPLIED ${hash}`, `FAILED ${hash}`]);
      expect(world.book.current?.role).toBe("bootstrap");
      expect(problemsOf(world)).toEqual([]);
    },
  );

  it("keeps the snapshot of a slow starter while other offers come and go", async () => {
    const world = await started();
    await world.offer(offerOf("late"));
    await world.advance(6_000);
    await world.offer(offerOf("restricted"));
    await world.settle();
    expect(world.running?.text?.remote).toBe("slow:9000");
    // A correction of the older one must not cover the verdict on the newest.
    expect(world.story.at(-1)).toBe("FAILED restricted");
    expect(problemsOf(world)).toEqual([]);
  });

  it("restarts with what it runs, not with the slow starter that was given up", async () => {
    const world = await started();
    await world.offer(offerOf("mute"));
    await world.advance(6_000);
    await world.restartCommand();
    await world.settle();
    expect(problemsOf(world)).toEqual([]);
  });

  it("gets its Collector once a disk that was full from the first moment has room", async () => {
    const world = new World();
    world.disk.full = true;
    await world.startSupervisor();
    await world.settle();
    expect(problemsOf(world)).toEqual([]);
  });
});

describe("an offer", () => {
  it("that failed while the same one waited is not tried twice", async () => {
    const world = await started();
    await keep(world, "good1");
    await world.offer(offerOf("hangs"));
    await world.advance(100);
    await world.offer(offerOf("good2"));
    await world.offer(offerOf("hangs"));
    await world.settle();
    expect(world.story.filter((each) => each === "APPLYING hangs")).toHaveLength(1);
    expect(problemsOf(world)).toEqual([]);
  });

  it("that waited when a quarantined one came is not forgotten for good", async () => {
    const world = await started();
    await keep(world, "dead");
    await world.offer(offerOf("slow"));
    await world.offer(offerOf("good1"));
    await world.offer(offerOf("dead"));
    await world.offer(offerOf("good1"));
    await world.settle();
    expect(world.running?.text?.remote).toBe("good one");
    expect(problemsOf(world)).toEqual([]);
  });

  it("that is kept on a full disk leaves the snapshots in place that the disk still names", async () => {
    const world = await started();
    await world.editLocal({ "local.yaml": "is: dies-after:3000" });
    await world.offer(offerOf("good1"));
    await world.advance(128);
    world.disk.full = true;
    await world.advance(3_005);
    await world.leave("stop");
    await world.settle();
    expect(problemsOf(world)).toEqual([]);
  });

  it("is applied and kept on a full disk, and written down when there is room", async () => {
    const world = await started();
    await world.offer(offerOf("good1"));
    // The candidate is on disk by then, its verdict is not.
    await world.advance(22);
    world.disk.full = true;
    await world.advance(1_000);
    await world.settle();
    expect(world.story.at(-1)).toBe("APPLIED good1");
    expect(problemsOf(world)).toEqual([]);
  });

  it("of what is only being restarted is not judged with a bad edit of local files", async () => {
    const world = await started();
    await keep(world, "good1");
    await world.editLocal({ "local.yaml": "is: refused" });
    await world.killCollector();
    await world.offer(offerOf("good1"));
    await world.settle();
    expect(world.story.at(-1)).toBe("APPLIED good1");
    expect(problemsOf(world)).toEqual([]);
  });

  it("that failed for want of something on this host is tried again after a restart, too", async () => {
    const world = await started();
    world.validateHangs = true;
    await world.offer(offerOf("good1"));
    await world.advance(15_000);
    expect(world.story.at(-1)).toBe("FAILED good1");
    await world.killSupervisor();
    await world.settle();
    expect(world.story.at(-1)).toBe("APPLIED good1");
    expect(problemsOf(world)).toEqual([]);
  });
});

describe("the way back", () => {
  it("puts one on probation again whose probation the next change cut short", async () => {
    const world = await started();
    await keep(world, "good1");
    await world.offer(offerOf("breaks"));
    await world.advance(500);
    await world.offer(offerOf("dies"));
    await world.settle();
    expect(world.running?.text?.remote).toBe("good one");
    expect(problemsOf(world)).toEqual([]);
  });

  it("leads to the order to stop, and the reference's file says so", async () => {
    const world = await started();
    await keep(world, "stop");
    await keep(world, "dies");
    await world.settle();
    expect(world.running).toBeUndefined();
    expect(problemsOf(world)).toEqual([]);
  });

  it("stops nothing twice: one that died while it was being proven stays down after an order to stop", async () => {
    const world = await started();
    await keep(world, "stop");
    await world.offer(offerOf("dead"));
    await world.settle();
    expect(world.running).toBeUndefined();
    expect(problemsOf(world)).toEqual([]);
  });

  it("corrects a verdict when the only thing left to run is what failed the second time", async () => {
    const world = await started();
    await world.offer(offerOf("late"));
    await world.advance(9_070);
    await world.offer(offerOf("segfaults"));
    await world.offer(offerOf("late"));
    await world.settle();
    expect(world.running?.text?.remote).toBe("slow:9000");
    expect(world.story.at(-1)).toBe("APPLIED late");
    expect(problemsOf(world)).toEqual([]);
  });

  it("is tried again as a whole when nothing on it ran, and never what failed", async () => {
    const world = await started();
    await keep(world, "good1");
    await world.offer(offerOf("breaks"));
    await world.advance(60);
    world.host.portTaken = true;
    await world.advance(310_000);
    expect(world.running).toBeUndefined();
    await world.settle();
    expect(world.running?.text?.remote).toBe("good one");
    expect(problemsOf(world)).toEqual([]);
  });
});

describe("an edit of local files", () => {
  it("that brings nothing new is no occasion to try what is being restarted", async () => {
    const world = await started({ localFiles: { "local.yaml": "is: good local" } });
    await world.advance(60_000);
    await world.killCollector();
    world.host.portTaken = true;
    await world.editLocal({ "local.yaml": "is: good local" });
    await world.advance(3_000);
    await world.settle();
    expect(world.running?.text?.local).toEqual({ "local.yaml": "is: good local" });
    expect(problemsOf(world)).toEqual([]);
  });

  it("that dies after its probation, and takes the remote configuration with it, says so", async () => {
    const world = await started({ localFiles: { "local.yaml": "is: good local" } });
    await world.offer(offerOf("good1"));
    await world.editLocal({ "local.yaml": "is: dies-after:3000" });
    await world.advance(127);
    // Quiet until its probation is over.
    await world.freezeCollector();
    await world.settle();
    expect(world.running?.text).toMatchObject({ remote: null, local: { "local.yaml": "is: good local" } });
    expect(world.story).toEqual(["APPLYING good1", "APPLIED good1", "FAILED good1"]);
  });

  it("does not hide that the remote configuration went down with an earlier one", async () => {
    const world = await started({ localFiles: { "local.yaml": "is: good local" } });
    await world.offer(offerOf("segfaults"));
    await world.editLocal({});
    await world.settle();
    expect(world.story.at(-1)).toBe("FAILED segfaults");
    expect(problemsOf(world)).toEqual([]);
  });
});
