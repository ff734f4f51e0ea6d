import { describe, expect, it } from "vitest";
import { keptRemote } from "../../../support/simulated-text.ts";
import { World, type WorldOptions } from "../../../support/world.ts";
import { offerOf } from "../../../support/world-actions.ts";
import { problemsOf } from "../../../support/world-problems.ts";

// The changes, the intake, the guard, the way back and the restoration, put together as in the supervisor.

async function running(hash: string | undefined, options: Partial<WorldOptions> = {}): Promise<World> {
  const world = new World(options);
  await world.startSupervisor();
  await world.advance(1_000);
  if (hash !== undefined) {
    await world.offer(offerOf(hash));
    await world.advance(60_000);
  }
  return world;
}

/** What must stay as it is while nothing is touched. */
const touch = ({ running: collector }: World) => [collector?.pid, collector?.loads];

const keptHash = (world: World) => new TextDecoder().decode(keptRemote(world.disk.files)?.configHash);

async function offer(world: World, hash: string, ms = 40_000): Promise<string[]> {
  const before = world.story.length;
  await world.offer(offerOf(hash));
  await world.advance(ms);
  return world.story.slice(before);
}

describe("an offer", () => {
  it("is applied by a reload of the same process", async () => {
    const world = await running("good1");
    const [pid, loads = 0] = touch(world);
    expect(await offer(world, "good2")).toEqual(["APPLYING good2", "APPLIED good2"]);
    expect(touch(world)).toEqual([pid, loads + 1]);
    expect(keptHash(world)).toBe("good2");
  });

  it("is applied by a restart where reloads are switched off", async () => {
    const world = await running("good1", { mayReload: false });
    const [pid] = touch(world);
    await offer(world, "good2");
    expect(world.running?.pid).not.toBe(pid);
  });

  it.each(["malformed", "restricted", "refused"])(
    "that a check finds bad never touches the Collector: %s",
    async (hash) => {
      const world = await running("good1");
      const before = touch(world);
      expect(await offer(world, hash)).toEqual([`APPLYING ${hash}`, `FAILED ${hash}`]);
      expect(touch(world)).toEqual(before);
      expect(keptHash(world)).toBe("good1");
    },
  );

  it.each(["dead", "bind", "hangs", "mute", "late", "slowdies"])(
    "that does not start is taken back: %s",
    async (hash) => {
      const world = await running("good1");
      expect(await offer(world, hash)).toEqual([`APPLYING ${hash}`, `FAILED ${hash}`]);
      expect(world.running?.text?.remote).toBe("good one");
      expect(keptHash(world)).toBe("good1");
      expect(world.supervisor?.state.get("health")).toMatchObject({ healthy: true });
    },
  );

  it.each(["dies", "segfaults", "breaks"])(
    "that fails on probation is corrected to FAILED: %s",
    async (hash) => {
      const world = await running("good1");
      expect(await offer(world, hash)).toEqual([`APPLYING ${hash}`, `APPLIED ${hash}`, `FAILED ${hash}`]);
      expect(world.running?.text?.remote).toBe("good one");
      expect(keptHash(world)).toBe("good1");
      expect(world.supervisor?.state.get("health")?.status).toBe("last-known-good: StatusOK");
    },
  );

  it.each(["recovers", "slow"])("that is slow or recovers is applied and stays so: %s", async (hash) => {
    const world = await running("good1");
    expect(await offer(world, hash)).toEqual([`APPLYING ${hash}`, `APPLIED ${hash}`]);
  });

  it("with the content that runs, under another hash, touches nothing and is applied", async () => {
    const world = await running("good1");
    const before = touch(world);
    expect(await offer(world, "twin1")).toEqual(["APPLYING twin1", "APPLIED twin1"]);
    expect(touch(world)).toEqual(before);
    expect(keptHash(world)).toBe("twin1");
  });

  it("that failed is not tried again, neither offered again nor after a restart", async () => {
    const world = await running("good1");
    await offer(world, "dead");
    const before = touch(world);
    for (let index = 0; index < 3; index += 1)
      expect(await offer(world, "dead", 1_000)).toEqual(["FAILED dead"]);
    await world.killSupervisor();
    await world.startSupervisor();
    await world.advance(1_000);
    expect(await offer(world, "dead", 1_000)).toEqual(["FAILED dead"]);
    expect(touch(world)).toEqual(before);
  });

  it("of a hundred in one moment, the newest is applied, and hardly any other is even tried", async () => {
    const world = await running("good1");
    for (let index = 0; index < 50; index += 1) {
      await world.offer(offerOf("good2"));
      await world.offer(offerOf("slow"));
    }
    await world.advance(10_000);
    expect(world.story.at(-1)).toBe("APPLIED slow");
    expect(world.story.length).toBeLessThan(8);
  });
});

describe("the order to stop", () => {
  it("stops the Collector, survives a restart, and ends with the next offer", async () => {
    const world = await running("good1");
    expect(await offer(world, "stop")).toEqual(["APPLYING stop", "APPLIED stop"]);
    expect(world.running).toBeUndefined();
    await world.killSupervisor();
    await world.startSupervisor();
    await world.advance(600_000);
    expect(world.running).toBeUndefined();
    expect(world.supervisor?.state.get("health")).toMatchObject({ healthy: true });
    await offer(world, "good2");
    expect(world.running?.healthy).toBe(true);
  });

  it("is not undone by a restart command or an edit on the host", async () => {
    const world = await running("stop");
    await world.restartCommand();
    await world.editLocal({ "local.yaml": "is: good local" });
    await world.advance(60_000);
    expect(world.running).toBeUndefined();
  });
});

describe("an edit of local files", () => {
  const localFiles = { "local.yaml": "is: good local" };

  it("is applied beside the remote configuration, and changes no status", async () => {
    const world = await running("good1", { localFiles });
    const before = world.story.length;
    await world.editLocal({ "local.yaml": "is: good other" });
    await world.advance(60_000);
    expect(world.running?.text).toMatchObject({
      remote: "good one",
      local: { "local.yaml": "is: good other" },
    });
    expect(world.story.slice(before)).toEqual([]);
  });

  it.each(["is: refused", "is: dies-at-start", "is: dies-after:3000"])(
    "that is bad is taken back: %s",
    async (text) => {
      const world = await running("good1", { localFiles });
      await world.editLocal({ "local.yaml": text });
      await world.advance(60_000);
      expect(world.running?.text).toMatchObject({ remote: "good one", local: localFiles });
      expect(world.status).toMatchObject({ hash: "good1", verdict: { t: "applied" } });
    },
  );

  it("that is bad does not make the next offer fail", async () => {
    const world = await running("good1", { localFiles });
    await world.editLocal({ "local.yaml": "is: dies-at-start" });
    await world.advance(10_000);
    expect(await offer(world, "good2")).toEqual(["APPLYING good2", "APPLIED good2"]);
  });

  it("made while no supervisor runs is applied by the next one", async () => {
    const world = await running("good1", { localFiles });
    await world.killSupervisor();
    await world.editLocal({ "local.yaml": "is: good other" });
    await world.startSupervisor();
    await world.advance(120_000);
    expect(world.running?.text?.local).toEqual({ "local.yaml": "is: good other" });
  });
});

describe("own telemetry", () => {
  it("is merged, kept over a restart, and changes no status", async () => {
    const world = await running("good1");
    const before = world.story.length;
    await world.offerOwnTelemetry("http://sink");
    await world.advance(60_000);
    expect(world.running?.text?.ownTelemetry).toBe("http://sink");
    expect(world.story.slice(before)).toEqual([]);
    await world.killSupervisor();
    await world.startSupervisor();
    await offer(world, "good2");
    expect(world.running?.text?.ownTelemetry).toBe("http://sink");
  });
});

describe("the death of the Collector", () => {
  it("is followed by a start at once", async () => {
    const world = await running("good1");
    await world.killCollector();
    await world.advance(50);
    expect(world.running?.healthy).toBe(true);
    expect(world.status?.verdict.t).toBe("applied");
  });

  it("by a first kill on probation restarts the same, a second one takes it back", async () => {
    const world = await running("good1");
    await world.offer(offerOf("good2"));
    await world.advance(1_000);
    await world.killCollector();
    await world.advance(1_000);
    expect(world.running?.text?.remote).toBe("good two");
    await world.killCollector();
    await world.advance(1_000);
    expect(world.running?.text?.remote).toBe("good one");
    expect(world.status).toMatchObject({ hash: "good2", verdict: { t: "failed" } });
  });

  it("five times in a minute is a crash loop: the configuration before it runs", async () => {
    const world = await running("good1");
    await offer(world, "good2", 60_000);
    for (let index = 0; index < 5; index += 1) {
      await world.killCollector();
      await world.advance(10_000);
    }
    expect(world.running?.text?.remote).toBe("good one");
    expect(world.status).toMatchObject({ hash: "good2", verdict: { t: "failed" } });
    expect(world.status?.verdict).toMatchObject({ reason: expect.stringMatching(/^crash loop: /) as string });
  });

  it("in a loop with nowhere to go back to runs the fallback, and then what works again", async () => {
    const world = await running("good1", { fallback: "is: good fallback" });
    world.host.portTaken = true;
    await world.killCollector();
    await world.advance(60_000);
    expect(world.running).toBeUndefined();
    expect(world.status?.verdict.t).toBe("failed");
    world.host.portTaken = false;
    await world.advance(360_000);
    expect(world.running?.text?.remote).toBe("good one");
    expect(world.status?.verdict.t).toBe("applied");
  });

  it("by a hang is one too", async () => {
    const world = await running("good1");
    const [pid] = touch(world);
    await world.freezeCollector();
    await world.advance(61_000);
    expect(world.running?.healthy).toBe(true);
    expect(world.running?.pid).not.toBe(pid);
  });
});

describe("the end of the supervisor", () => {
  it.each(["kill", "hand-over"] as const)("leaves the Collector to the next one: %s", async (how) => {
    const world = await running("good1");
    const before = touch(world);
    if (how === "kill") await world.killSupervisor();
    else await world.leave("hand-over");
    expect(touch(world)).toEqual(before);
    await world.advance(30_000);
    await world.startSupervisor();
    await world.advance(300_000);
    expect(touch(world)).toEqual(before);
    expect(world.status).toMatchObject({ hash: "good1", verdict: { t: "applied" } });
  });

  it("by SIGTERM stops the Collector, and the next one starts the same", async () => {
    const world = await running("good1");
    await world.leave("stop");
    expect(world.running).toBeUndefined();
    await world.startSupervisor();
    await world.advance(1_000);
    expect(world.running?.text?.remote).toBe("good one");
  });

  it.each(["before", "after"] as const)(
    "by kill -9 %s any thing that a change does leaves it finished or reverted",
    async (when) => {
      for (const hash of ["good2", "dead", "dies", "stop"]) {
        for (let effect = 1; effect <= 22; effect += 1) {
          const world = await running("good1");
          await world.killSupervisor({ effect, when });
          await world.offer(offerOf(hash));
          await world.advance(5_000);
          await world.settle();
          const expected = hash === "good2" || hash === "stop" ? "APPLIED" : "FAILED";
          expect([hash, effect, world.story.at(-1), problemsOf(world)]).toEqual([
            hash,
            effect,
            `${expected} ${hash}`,
            [],
          ]);
        }
      }
    },
  );

  it("replaces a Collector that nobody knows, and never runs two", async () => {
    const world = await running("good1");
    const [pid] = touch(world);
    await world.killSupervisor();
    world.disk.files.delete("collector.json");
    await world.startSupervisor();
    await world.advance(120_000);
    expect(world.running?.pid).not.toBe(pid);
    expect(world.running?.text?.remote).toBe("good one");
    expect(problemsOf(world)).toEqual([]);
  });

  it("with the book lost runs what the reference's file names", async () => {
    const world = await running("good1");
    await world.leave("stop");
    world.disk.files.delete("book.json");
    await world.startSupervisor();
    await world.advance(60_000);
    expect(world.running?.text?.remote).toBe("good one");
    expect(world.status).toMatchObject({ hash: "good1", verdict: { t: "applied" } });
  });
});

describe("a full disk", () => {
  it("fails an offer with that reason, touches nothing, and tries again when there is room", async () => {
    const world = await running("good1");
    const before = touch(world);
    world.disk.full = true;
    expect(await offer(world, "good2", 10_000)).toEqual(["APPLYING good2", "FAILED good2"]);
    expect(world.status?.verdict).toMatchObject({ reason: "no space left on device" });
    expect(touch(world)).toEqual(before);
    world.disk.full = false;
    await world.advance(60_000);
    expect(world.status).toMatchObject({ hash: "good2", verdict: { t: "applied" } });
  });

  it("keeps no crashed Collector from its restart, and no failed offer from its way back", async () => {
    const world = await running("good1");
    await world.offer(offerOf("dies"));
    await world.advance(1_000);
    world.disk.full = true;
    await world.advance(20_000);
    expect(world.running?.text?.remote).toBe("good one");
    await world.killCollector();
    await world.advance(1_000);
    expect(world.running?.healthy).toBe(true);
  });
});
