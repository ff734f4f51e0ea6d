import { describe, expect, it } from "vitest";
import { emptyBook, type Reference } from "../../../../src/supervisor/change/configuration-book.ts";
import { chooseRollback, readRollback, rollbackReason } from "../../../../src/supervisor/change/rollback.ts";
import { World, type WorldOptions } from "../../../support/world.ts";
import { offerOf } from "../../../support/world-actions.ts";
import { problemsOf } from "../../../support/world-problems.ts";

const reference = (id: string, more: Partial<Reference> = {}): Reference => ({
  ...{ id, contentHash: `c-${id}`, remoteHash: `${id}${id}`, packages: null },
  ...({ role: "desired", cause: "remote" } as const),
  ...more,
});

const older = reference("aaa");
const newer = reference("bbb");
const present = reference("ccc");
const book = { ...emptyBook, current: present, wayBack: [newer, older] };

describe("chooseRollback", () => {
  it("goes to the nearest, or to the one that is named by either of its hashes", () => {
    expect(chooseRollback(book)).toEqual({ from: present, to: newer });
    expect(chooseRollback(book, "aaa")).toEqual({ from: present, to: older });
    expect(chooseRollback(book, "c-aaa")).toEqual({ from: present, to: older });
  });

  it("passes over what was itself rolled back, so that twice is not there and back", () => {
    const quarantined = [{ hash: "bbbbbb", reason: "rolled back by an operator", at: 1 }];
    expect(chooseRollback({ ...book, quarantined })).toEqual({ from: present, to: older });
    const refused = {
      refused: expect.stringMatching(/bbbbbb cannot be gone back to: .*quarantined/) as string,
    };
    expect(chooseRollback({ ...book, quarantined }, "bbb")).toEqual(refused);
    expect(chooseRollback({ ...book, quarantined, wayBack: [newer] })).toEqual(refused);
  });

  it.each([
    [{ ...book, current: null }, undefined, /no configuration has come/],
    [{ ...book, wayBack: [] }, undefined, /nothing ran before/],
    [{ ...book, current: reference("f", { role: "fallback" }) }, undefined, /only a fallback configuration/],
    [{ ...book, wayBack: [reference("s", { id: null })] }, undefined, /order to run no Collector/],
    [book, "fff", /fff is not known to have worked; known: bbbbbb, aaaaaa/],
  ] as const)("says why there is none", (known, wanted, message) => {
    expect(chooseRollback(known, wanted)).toEqual({ refused: expect.stringMatching(message) as string });
  });
});

it("a reason is optional", () => {
  expect(rollbackReason(" ")).toBe("rolled back by an operator");
  expect(rollbackReason("it drops data")).toBe("rolled back by an operator: it drops data");
});

it("no other change is taken for a rollback", () => {
  expect(readRollback({ trigger: "local", what: "start" })).toBeUndefined();
});

async function running(hashes: readonly string[], options: Partial<WorldOptions> = {}): Promise<World> {
  const world = new World(options);
  await world.startSupervisor();
  await world.advance(6_000);
  for (const hash of hashes) {
    await world.offer(offerOf(hash));
    await world.advance(60_000);
  }
  return world;
}

async function rollBack(world: World, wanted?: string): Promise<string | undefined> {
  const rolling = world.supervisor?.rollBack(wanted);
  await world.advance(20_000);
  return rolling;
}

describe("a rollback", () => {
  it("runs what ran before, and tells the server that what was rolled back failed, also when it is offered again", async () => {
    const world = await running(["good1", "good2"]);
    expect(await rollBack(world)).toBeUndefined();
    expect(world.running?.text?.remote).toBe("good one");
    expect(world.book.current).toMatchObject({ role: "last-known-good", cause: "remote" });
    expect(world.status?.verdict).toEqual({
      t: "failed",
      reason: "rolled back by an operator: it drops data",
    });
    await world.offer(offerOf("good2"));
    await world.advance(60_000);
    expect(world.story.at(-1)).toBe("FAILED good2");
    expect(world.running?.text?.remote).toBe("good one");
    expect(problemsOf(world)).toEqual([]);
  });

  it("ends when the server offers another", async () => {
    const world = await running(["good1", "good2"]);
    await rollBack(world);
    await world.offer(offerOf("slow"));
    await world.advance(60_000);
    expect(world.story.at(-1)).toBe("APPLIED slow");
    expect(problemsOf(world)).toEqual([]);
  });

  it("cannot be done twice to be back where it was", async () => {
    const world = await running(["good1", "good2"]);
    await rollBack(world);
    expect(await rollBack(world)).toContain("cannot be gone back to");
    expect(world.running?.text?.remote).toBe("good one");
  });

  it("undoes an edit on this host, and what the server wants stays APPLIED", async () => {
    const world = await running(["good1"]);
    await world.editLocal({ "local.yaml": "is: good local" });
    await world.advance(60_000);
    expect(await rollBack(world)).toBeUndefined();
    expect(world.running?.text?.local).toEqual({});
    expect(world.story.at(-1)).toBe("APPLIED good1");
    // The edit is still there, and is not to come back at the next start.
    await world.killSupervisor();
    await world.startSupervisor();
    await world.advance(60_000);
    expect(world.running?.text?.local).toEqual({});
  });

  it("does not refuse an offer that the older configuration has as well", async () => {
    const world = await running(["good1"], { localFiles: { "local.yaml": "is: good local" } });
    await world.editLocal({});
    await world.advance(140);
    // The server says again what it wants, and so it is what the edit runs with.
    await world.offer(offerOf("good1"));
    expect(await rollBack(world)).toBeUndefined();
    expect(world.running?.text?.local).not.toEqual({});
    expect(world.story.at(-1)).toBe("APPLIED good1");
    expect(problemsOf(world)).toEqual([]);
  });

  it("goes back to a Collector from the order to run none", async () => {
    const world = await running(["good1", "stop"]);
    expect(world.running).toBeUndefined();
    expect(await rollBack(world)).toBeUndefined();
    expect(world.running?.text?.remote).toBe("good one");
    expect(world.story.at(-1)).toBe("FAILED stop");
  });

  it("that cannot be checked touches nothing", async () => {
    const world = await running(["good1", "good2"]);
    const { pid, loads } = world.running ?? {};
    world.validateHangs = true;
    expect(await rollBack(world)).toBe("the check took longer than 10 s");
    expect(world.running).toMatchObject({ pid, loads });
    expect(world.story.at(-1)).toBe("APPLIED good2");
    expect(world.book.quarantined).toEqual([]);
  });

  it("that does not start any more brings back what ran, and the server is told nothing else", async () => {
    const world = await running(["good1", "good2"]);
    world.host.portTaken = true;
    expect(await rollBack(world)).toContain("the Collector ended with this configuration");
    world.host.portTaken = false;
    await world.advance(600_000);
    expect(world.running?.text?.remote).toBe("good two");
    expect(world.story.at(-1)).toBe("APPLIED good2");
    expect(problemsOf(world)).toEqual([]);
  });

  it("is finished or taken back by the next supervisor, wherever the first one dies", async () => {
    for (let effect = 1; effect <= 24; effect += 1) {
      const world = await running(["good1", "good2"]);
      await world.killSupervisor({ effect, when: "before" });
      void world.supervisor?.rollBack();
      await world.advance(10_000);
      await world.killSupervisor();
      await world.startSupervisor();
      await world.advance(200_000);
      const { remote } = world.running?.text ?? {};
      const told = world.status?.verdict.t;
      expect([effect, [remote, told]]).toEqual([
        effect,
        remote === "good one" ? ["good one", "failed"] : ["good two", "applied"],
      ]);
      expect([effect, problemsOf(world)]).toEqual([effect, []]);
    }
  });
});
