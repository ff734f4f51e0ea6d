import { describe, expect, it } from "vitest";
import { currentSet } from "../../../support/simulated-store.ts";
import { World, type WorldOptions } from "../../../support/world.ts";
import { offerOf } from "../../../support/world-actions.ts";
import { problemsOf } from "../../../support/world-problems.ts";

/** What the property test found with packages, each as small as it can be. */

async function started(options: Partial<WorldOptions> = {}): Promise<World> {
  const world = new World(options);
  await world.startSupervisor();
  await world.advance(6_000);
  return world;
}

/** Offers, and waits until the probation is over. */
async function keep(world: World, packages: string): Promise<void> {
  await world.offerPackages(packages);
  await world.advance(60_000);
}

/** What runs, and with which packages; nothing may be wrong. */
async function outcome(world: World): Promise<[remote: string | null | undefined, packages: string | null]> {
  await world.settle();
  expect(problemsOf(world)).toEqual([]);
  return [world.running?.text?.remote, currentSet(world.disk)];
}

const isInstalled = ({ supervisor }: World) =>
  supervisor?.packages?.packages.every(({ state }) => state.t === "installed") === true;

describe("a configuration and packages in one message", () => {
  it("are the order to stop, which waits for no packages", async () => {
    const world = await started();
    await world.offerPackages("large", offerOf("stop"));
    await world.advance(1_000);
    expect(world.running).toBeUndefined();
    await world.settle();
    expect(world.story).toEqual(["APPLYING stop", "APPLIED stop"]);
    expect(problemsOf(world)).toEqual([]);
  });

  it("that newer packages replace leave the configuration to be tried after those", async () => {
    const world = await started();
    await world.offerPackages("large", offerOf("good1"));
    await world.advance(1_000);
    await world.offerPackages("two");
    expect(await outcome(world)).toEqual(["good one", "two"]);
    expect(world.story.at(-1)).toBe("APPLIED good1");
  });

  it("that newer packages replace in the same moment lose nothing", async () => {
    const world = await started();
    await world.offerPackages("twin", offerOf("good1"));
    await world.advance(60_000);
    await world.offerPackages("twin", offerOf("good2"));
    await world.offerPackages("none");
    expect(await outcome(world)).toEqual(["good two", null]);
  });

  it("stay together when the server sends the configuration again alone, after a restart", async () => {
    const world = await started();
    await world.offerPackages("large", offerOf("modern"));
    await world.advance(10_000);
    await world.killSupervisor();
    await world.startSupervisor();
    await world.advance(10_000);
    expect(world.story).toEqual([]);
    expect(await outcome(world)).toEqual(["good modern from-2", "large"]);
    expect(world.story).toEqual(["APPLYING modern", "APPLIED modern"]);
  });

  it("stay together when the supervisor died between writing down the message and what it does with it", async () => {
    for (let effect = 1; effect <= 8; effect += 1) {
      const world = await started();
      await world.killSupervisor({ effect, when: "before" });
      await world.offerPackages("newboth", offerOf("ruled"));
      await world.advance(60_000);
      expect([effect, await outcome(world)]).toEqual([effect, ["good ruled with-rules", "rules2+two"]]);
      expect(world.story).not.toContain("FAILED ruled");
    }
  });

  it("stay together when the packages come again alone", async () => {
    const world = await started();
    await world.offerPackages("large", offerOf("modern"));
    await world.advance(10_000);
    await world.offerPackages("large");
    expect(await outcome(world)).toEqual(["good modern from-2", "large"]);
    expect(world.story).toEqual(["APPLYING modern", "APPLIED modern"]);
  });

  it("stay refused together when the server sends the configuration again alone", async () => {
    const world = await started();
    await world.offerPackages("forged", offerOf("good1"));
    await world.advance(10_000);
    await world.offer(offerOf("good1"));
    await world.advance(1_000);
    expect(world.story).toEqual(["FAILED good1", "FAILED good1"]);
    expect(world.running?.text?.remote).toBeNull();
  });

  it("go together when the host had nothing else, on probation", async () => {
    const world = await started();
    await world.offerPackages("three", offerOf("dies"));
    expect(await outcome(world)).toEqual([null, null]);
    expect(world.story.at(-1)).toBe("FAILED dies");
    expect(isInstalled(world)).toBe(false);
  });

  it("are APPLIED and Installed, though late, when they were only slow", async () => {
    const world = await started();
    await world.offerPackages("large", offerOf("late"));
    expect(await outcome(world)).toEqual(["slow:9000", "large"]);
    expect(world.story.at(-1)).toBe("APPLIED late");
    expect(isInstalled(world)).toBe(true);
  });

  it("do not make a configuration FAILED that runs already", async () => {
    const world = await started();
    await world.offer(offerOf("good1"));
    await world.advance(60_000);
    await world.offerPackages("unfit", offerOf("good1"));
    expect(await outcome(world)).toEqual(["good one", null]);
    expect(world.story.at(-1)).toBe("APPLIED good1");
    expect(isInstalled(world)).toBe(false);
  });

  it("clear the name of a configuration that failed with another program", async () => {
    const world = await started();
    await keep(world, "three");
    await world.offer(offerOf("ancient"));
    await world.advance(1_000);
    expect(world.story.at(-1)).toBe("FAILED ancient");
    await world.offerPackages("none", offerOf("ancient"));
    await world.advance(60_000);
    await world.offer(offerOf("ancient"));
    expect(await outcome(world)).toEqual(["good ancient until-2", null]);
    expect(world.story.at(-1)).toBe("APPLIED ancient");
  });

  it("that newer packages replace while they wait for their turn do not make the configuration wait for ever", async () => {
    const world = await started({ local: "later" });
    world.validateHangs = true;
    await world.offer(offerOf("good1"));
    await world.offerPackages("both", offerOf("good2"));
    await world.advance(2_500);
    await world.offerPackages("two");
    expect(await outcome(world)).toEqual(["good two", "two"]);
  });

  it("are not replaced by an older configuration that this host tries again", async () => {
    const world = await started({ local: "none" });
    await world.offer(offerOf("good1"));
    await world.offerPackages("two", offerOf("modern"));
    expect(await outcome(world)).toEqual(["good modern from-2", "two"]);
    expect(world.story).not.toContain("APPLIED good1");
  });
});

describe("a program that goes bad after minutes", () => {
  it("takes no configuration with it that came shortly before", async () => {
    const world = await started();
    await world.offer(offerOf("good1"));
    await world.advance(60_000);
    await world.offer(offerOf("ancient"));
    await world.advance(1_000);
    await world.offerPackages("sour");
    expect(await outcome(world)).toEqual(["good ancient until-2", null]);
    expect(world.story.at(-1)).toBe("APPLIED ancient");
  });

  it("makes room for agent.executable, whatever else was installed since", async () => {
    const world = await started();
    await world.offerPackages("sour");
    await world.advance(1_000);
    await world.offerPackages("brief");
    expect(await outcome(world)).toEqual([null, null]);
    expect(world.running?.healthy).toBe(true);
  });

  it("makes room for the fallback configuration with another program, not for itself", async () => {
    const world = await started({ fallback: "is: good fallback" });
    await world.offerPackages("sour", offerOf("modern"));
    await world.advance(145_000);
    expect(world.running?.text?.local).toEqual({ "fallback.yaml": "is: good fallback" });
    expect(currentSet(world.disk)).toBeNull();
  });

  it("is found out by a fallback that ends with it, and no configuration is tried with it then", async () => {
    const world = await started({ fallback: "is: good fallback" });
    await world.offerPackages("sour");
    await world.advance(1_000);
    await world.offer(offerOf("modern"));
    await world.advance(200_000);
    expect(world.running?.text?.local).toEqual({ "fallback.yaml": "is: good fallback" });
    expect(currentSet(world.disk)).toBeNull();
  });

  it("is not what the fallback configuration is run with for ever", async () => {
    const world = await started({ fallback: "is: good fallback" });
    await world.offerPackages("sour");
    await world.advance(3_372);
    await world.offer(offerOf("good1"));
    await world.offerPackages("sourboth");
    expect((await outcome(world))[1]).toBeNull();
    expect(world.running?.healthy).toBe(true);
  });
});

describe("packages", () => {
  it("that run are not given up for the first configuration, which fails on probation", async () => {
    const world = await started();
    await keep(world, "two");
    await world.offer(offerOf("dies"));
    expect(await outcome(world)).toEqual([null, "two"]);
    expect(isInstalled(world)).toBe(true);
  });

  it("are judged with what runs, and not with an edit on this host that failed", async () => {
    const world = await started();
    await world.editLocal({ "local.yaml": "is: dies-after:3000" });
    await world.advance(100_000);
    await world.offerPackages("three");
    expect(await outcome(world)).toEqual([null, "three"]);
    expect(isInstalled(world)).toBe(true);
  });

  it("with which the first configuration of a host fails are no reason to run it with others", async () => {
    const world = new World();
    world.disk.full = true;
    await world.startSupervisor();
    await world.editLocal({ "local.yaml": "is: dies-after:3000" });
    await world.advance(310_000);
    await world.offerPackages("three");
    expect(await outcome(world)).toEqual([null, null]);
    expect(world.running?.healthy).toBe(true);
  });

  it("do not bring back a configuration that the disk refused and that the server has taken back since", async () => {
    const world = await started();
    await world.offer(offerOf("good1"));
    await world.advance(60_000);
    world.disk.full = true;
    await world.offer(offerOf("good2"));
    await world.advance(1_000);
    await world.offer(offerOf("good1"));
    await world.advance(1_000);
    world.disk.full = false;
    await keep(world, "two");
    expect(await outcome(world)).toEqual(["good one", "two"]);
    expect(world.story).toEqual([
      "APPLYING good1",
      "APPLIED good1",
      "APPLYING good2",
      "FAILED good2",
      "APPLIED good1",
    ]);
  });

  it("are installed once the host has time again to find out what they are", async () => {
    const world = await started();
    world.validateHangs = true;
    await world.offerPackages("two");
    await world.advance(60_000);
    world.validateHangs = false;
    expect((await outcome(world))[1]).toBe("two");
  });

  it("that are to go say why they stay where they are the only program", async () => {
    const world = await started({ local: "none" });
    await keep(world, "two");
    await world.offerPackages("none");
    expect((await outcome(world))[1]).toBe("two");
    expect(world.supervisor?.packages?.problem).toContain("no Collector on this host");
  });

  it("that were offered while older ones are being put in place are what is wanted after a restart", async () => {
    for (let effect = 20; effect <= 44; effect += 1) {
      const world = await started();
      await world.killSupervisor({ effect, when: "before" });
      await world.offerPackages("two");
      await world.advance(330);
      await world.offerPackages("large");
      await world.advance(20);
      await world.killSupervisor();
      expect([effect, (await outcome(world))[1]]).toEqual([effect, "large"]);
    }
  });

  it("that failed three times are not started a fourth time", async () => {
    const world = await started();
    for (let index = 0; index < 5; index += 1) await keep(world, "stillborn");
    expect(world.starts.get("packages/versions/stillborn")?.size).toBe(3);
    expect((await outcome(world))[1]).toBeNull();
  });
});
