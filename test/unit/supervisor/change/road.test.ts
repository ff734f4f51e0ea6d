import { describe, expect, it } from "vitest";
import { silentLogger } from "../../../../src/foundation/logger.ts";
import type { Change, Failure } from "../../../../src/supervisor/change/change.ts";
import { Journal, type JournalEntry } from "../../../../src/supervisor/change/journal.ts";
import { Road } from "../../../../src/supervisor/change/road.ts";

/** A journal store that can be full, and remembers every step that was written. */
class Disk {
  readonly written: (string | undefined)[] = [];
  entry: JournalEntry | undefined;
  full = false;

  async save(entry: JournalEntry | undefined): Promise<void> {
    if (this.full) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
    this.entry = entry;
    this.written.push(entry && `${entry.id} ${entry.step}`);
  }
}

interface Script {
  stage?: () => Promise<Failure | undefined>;
  check?: (signal: AbortSignal) => Promise<Failure | "unchanged" | undefined>;
  switchOver?: () => Promise<Failure | undefined>;
  prove?: () => Promise<Failure | undefined>;
}

function setUp() {
  const disk = new Disk();
  const events: string[] = [];
  const road = new Road({
    journal: new Journal(disk),
    logger: silentLogger,
    isOwnFault: (error) => (error as { code?: string }).code !== "ENOSPC",
  });
  const change = (id: string, script: Script = {}): Change => ({
    record: { kind: "configuration", id, detail: {} },
    async stage() {
      events.push(`${id} stage`);
      return script.stage?.();
    },
    async check(signal) {
      events.push(`${id} check`);
      return script.check?.(signal);
    },
    async switchOver() {
      events.push(`${id} switch`);
      return script.switchOver?.();
    },
    async prove() {
      events.push(`${id} prove`);
      return script.prove?.();
    },
    async keep(how) {
      events.push(`${id} keep ${how}`);
    },
    async reject({ fault, reason }) {
      events.push(`${id} reject ${fault}: ${reason}`);
    },
    async revert({ fault, reason }) {
      events.push(`${id} revert ${fault}: ${reason}`);
    },
  });
  const offer = (id: string, script?: Script, lane = "remote") =>
    road.offer(lane, () => Promise.resolve(change(id, script)));
  return { road, disk, events, offer, change };
}

const own = (reason: string): Failure => ({ fault: "own", reason });

describe("the road", () => {
  it("journals each step before it happens, and nothing after the end", async () => {
    const { road, disk, events, offer } = setUp();
    const seen: string[] = [];
    const look = () => {
      seen.push(disk.entry?.step ?? "none");
      return Promise.resolve(undefined);
    };
    offer("a", { stage: look, check: look, switchOver: look, prove: look });
    await road.idle();
    expect(seen).toEqual(["staging", "checking", "switching", "proving"]);
    expect(events.at(-1)).toBe("a keep switched");
    expect(disk.written.at(-2)).toBe("a keeping");
    expect(disk.entry).toBeUndefined();
  });

  it("touches nothing when the check fails", async () => {
    const { road, events, offer } = setUp();
    offer("a", { check: async () => own("unknown exporter") });
    await road.idle();
    expect(events).toEqual(["a stage", "a check", "a reject own: unknown exporter"]);
  });

  it("switches nothing when nothing changed", async () => {
    const { road, events, offer } = setUp();
    offer("a", { check: async () => "unchanged" });
    await road.idle();
    expect(events).toEqual(["a stage", "a check", "a keep unchanged"]);
  });

  it.each(["switchOver", "prove"] as const)("reverts when %s fails", async (step) => {
    const { road, events, offer } = setUp();
    offer("a", { [step]: async () => own("it died") });
    await road.idle();
    expect(events.at(-1)).toBe("a revert own: it died");
  });

  it("takes a thrown error for a failure, of the host where it is one", async () => {
    const { road, events, offer } = setUp();
    offer("a", {
      stage: async () => {
        throw Object.assign(new Error("disk full"), { code: "ENOSPC" });
      },
    });
    offer("b", { stage: async () => Promise.reject(new Error("not YAML")) }, "local");
    await road.idle();
    expect(events).toContain("a reject host: disk full");
    expect(events).toContain("b reject own: not YAML");
  });

  it("runs one change at a time, and of a lane only the newest that waits", async () => {
    const { road, events, offer } = setUp();
    const gate = Promise.withResolvers<undefined>();
    offer("a", { prove: () => gate.promise });
    offer("never");
    for (let index = 0; index < 100; index += 1) offer(`b${index}`);
    offer("local", {}, "local");
    gate.resolve(undefined);
    await road.idle();
    const kept = events.filter((event) => event.includes("keep"));
    expect(kept).toEqual(["a keep switched", "b99 keep switched", "local keep switched"]);
    expect(events.filter((event) => event.endsWith("stage"))).toHaveLength(3);
  });

  it("sends a change back that has touched nothing when something urgent comes, and takes it up again", async () => {
    const { road, events, offer } = setUp();
    let checks = 0;
    const checking = Promise.withResolvers<void>();
    offer("a", {
      check: (signal) => {
        checks += 1;
        if (checks > 1) return Promise.resolve(undefined);
        checking.resolve();
        return new Promise((resolve) => signal.addEventListener("abort", () => resolve(undefined)));
      },
    });
    await checking.promise;
    road.urgent(async () => {
      events.push("urgent");
    });
    await road.idle();
    expect(events.indexOf("urgent")).toBeLessThan(events.indexOf("a switch"));
    expect(events.at(-1)).toBe("a keep switched");
  });

  it("does not interrupt a change that has switched", async () => {
    const { road, events, offer } = setUp();
    const proving = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<undefined>();
    offer("a", {
      prove: () => {
        proving.resolve();
        return gate.promise;
      },
    });
    await proving.promise;
    road.urgent(async () => {
      events.push("urgent");
    });
    gate.resolve(undefined);
    await road.idle();
    expect(events.slice(-2)).toEqual(["a keep switched", "urgent"]);
  });

  it("refuses to switch when the journal cannot be written, but reverts and keeps all the same", async () => {
    const { road, disk, events, offer } = setUp();
    offer("a", {
      check: async () => {
        disk.full = true;
        return undefined;
      },
    });
    await road.idle();
    expect(events.at(-1)).toBe(
      "a reject host: the state directory cannot be written: no space left on device",
    );
    disk.full = false;
    offer("b", {
      prove: async () => {
        disk.full = true;
        return own("it died");
      },
    });
    await road.idle();
    expect(events.at(-1)).toBe("b revert own: it died");
  });

  it("goes on after a change that threw where it may not", async () => {
    const { road, events, offer, change } = setUp();
    road.offer("x", () =>
      Promise.resolve({ ...change("x"), keep: () => Promise.reject(new Error("cannot write")) }),
    );
    offer("b");
    await road.idle();
    expect(events.at(-1)).toBe("b keep switched");
  });

  describe("after the supervisor died", () => {
    const entry = (step: JournalEntry["step"], attempt = 1): JournalEntry => ({
      kind: "configuration",
      id: "a",
      detail: {},
      step,
      attempt,
      ...(step === "reverting" && { failure: own("it died") }),
    });

    it.each([
      ["staging", ["a stage", "a check", "a switch", "a prove", "a keep switched"]],
      ["checking", ["a stage", "a check", "a switch", "a prove", "a keep switched"]],
      ["switching", ["a switch", "a prove", "a keep switched"]],
      ["proving", ["a switch", "a prove", "a keep switched"]],
      ["keeping", ["a keep switched"]],
      ["reverting", ["a revert own: it died"]],
    ] as const)("while %s, the change is finished or reverted", async (step, expected) => {
      const { road, disk, events, change } = setUp();
      road.resume(change("a"), entry(step), "remote");
      await road.idle();
      expect(events).toEqual(expected);
      expect(disk.entry).toBeUndefined();
    });

    it("twice while switching, it is not tried a third time", async () => {
      const { road, events, change } = setUp();
      road.resume(change("a"), entry("proving", 2), "remote");
      await road.idle();
      expect(events).toEqual([
        "a revert own: the supervisor ended 2 times while this change was being applied",
      ]);
    });

    it("counts the attempts on disk", async () => {
      const { road, disk, change } = setUp();
      const attempts: (number | undefined)[] = [];
      const look = async () => {
        attempts.push(disk.entry?.attempt);
        return undefined;
      };
      road.resume(change("a", { prove: look }), entry("switching", 1), "remote");
      await road.idle();
      expect(attempts).toEqual([2]);
    });
  });

  it("leaves a change in the journal that is being proven when it closes", async () => {
    const { road, disk, events, offer } = setUp();
    const proving = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<Failure | undefined>();
    offer("a", {
      prove: () => {
        proving.resolve();
        return gate.promise;
      },
    });
    await proving.promise;
    const closed = road.close();
    gate.resolve(own("the Collector was stopped"));
    await closed;
    expect(events.at(-1)).toBe("a prove");
    // Not counted: the supervisor did not die of it.
    expect(disk.entry).toMatchObject({ step: "proving", attempt: 0 });
  });
});
