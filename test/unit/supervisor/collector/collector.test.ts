import { describe, expect, it } from "vitest";
import type { CollectorEvent } from "../../../../src/supervisor/collector/collector-state.ts";
import { programHash, sameProgram } from "../../../../src/supervisor/collector/launch.ts";
import { CollectorRig, configOf, healthOf, launchOf, settled } from "../../../support/collector-rig.ts";
import { ScriptedProcess } from "../../../support/scripted-process.ts";

const exits = (events: CollectorEvent[]) => events.filter((event) => event.t === "exited");

describe("Collector", () => {
  it("is starting until its own link says that it is healthy, and writes both down", async () => {
    const rig = new CollectorRig();
    expect(await rig.collector.run(launchOf("a"), true)).toBe("started");
    expect(rig.collector.state.t).toBe("starting");
    const id = rig.link("a");
    rig.collector.reported(id, { health: healthOf(false) });
    expect(rig.collector.state.t).toBe("starting");
    rig.collector.reported(id, { health: healthOf(true) });
    await settled();
    expect(rig.collector.state.t).toBe("running");
    expect(rig.records.map((record) => [record?.mark, record?.process.pid, record?.healthy])).toEqual([
      ["a", 100, false],
      ["a", 100, true],
    ]);
  });

  it("does not take the health of a link with another mark for that of this launch", async () => {
    const rig = new CollectorRig();
    await rig.collector.run(launchOf("a"), true);
    rig.healthy("b");
    expect(rig.collector.state.t).toBe("starting");
  });

  it("reloads what is healthy, and only a link from after the reload counts", async () => {
    const rig = new CollectorRig();
    await rig.running("a");
    const old = rig.healthy("a");
    expect(await rig.collector.run(launchOf("b"), true)).toBe("reloaded");
    expect(rig.process.signals).toEqual(["SIGHUP"]);
    expect(rig.collector.state.t).toBe("starting");
    rig.collector.reported(old, { health: healthOf(true) });
    expect(rig.collector.link).toBeUndefined();
    expect(rig.collector.state.t).toBe("starting");
    rig.healthy("b");
    expect(rig.collector.state.t).toBe("running");
    expect(rig.processes).toHaveLength(1);
  });

  it.each([
    [
      "it has not started: SIGHUP would kill it",
      async (rig: CollectorRig) => rig.collector.run(launchOf("a"), true),
    ],
    [
      "the binary or its arguments differ",
      async (rig: CollectorRig) => {
        await rig.collector.run(launchOf("a", ["--other"]), true);
        rig.healthy("a");
      },
    ],
    [
      "it is a wrapper script",
      async (rig: CollectorRig) => {
        await rig.running("a");
        rig.process.wrapper = true;
      },
    ],
  ])("restarts instead of reloading when %s", async (_why, prepare) => {
    const rig = new CollectorRig();
    await prepare(rig);
    expect(await rig.collector.run(launchOf("b"), true)).toBe("started");
    expect(rig.processes).toHaveLength(2);
    expect(rig.processes[0]?.signals).toEqual(["SIGTERM"]);
  });

  it("restarts when it may not reload", async () => {
    const rig = new CollectorRig();
    await rig.running("a");
    expect(await rig.collector.run(launchOf("b"), false)).toBe("started");
  });

  it("gives what never became healthy one second to stop, and ten what may have data to flush", async () => {
    const rig = new CollectorRig();
    await rig.collector.run(launchOf("a"), false);
    await rig.collector.run(launchOf("b"), false);
    rig.healthy("b");
    await rig.collector.stop();
    expect(rig.processes.map(({ graces }) => graces)).toEqual([[1_000], [10_000]]);
    expect(rig.records.at(-1)).toBeUndefined();
  });

  it("never runs two: the next start waits until the last process is gone", async () => {
    const rig = new CollectorRig();
    await rig.running("a");
    rig.process.obeys = false;
    const first = rig.process;
    const run = rig.collector.run(launchOf("b"), false);
    await settled();
    expect(rig.processes).toHaveLength(1);
    expect(rig.collector.state.t).toBe("stopping");
    first.exit({ requested: true });
    await run;
    expect(rig.processes).toHaveLength(2);
  });

  it("tells an exit that nobody asked for, with its last words; not one that was asked for", async () => {
    const rig = new CollectorRig();
    await rig.running("a");
    rig.process.exit({ code: 2 });
    await settled();
    const [exit] = exits(rig.events);
    expect(exit).toMatchObject({ exit: { code: 2 }, launch: { mark: "a" }, claimed: false, hung: undefined });
    expect(await exit?.excerpt).toBe("Error: last words");
    await rig.running("b");
    await rig.collector.stop();
    await settled();
    expect(exits(rig.events)).toHaveLength(1);
  });

  it("a hang that it ends is an exit with that reason", async () => {
    const rig = new CollectorRig();
    await rig.running("a");
    rig.collector.killHung("it does not answer");
    await settled();
    expect(exits(rig.events)[0]).toMatchObject({ exit: { signal: "SIGKILL" }, hung: "it does not answer" });
    // The next exit is none of it.
    await rig.running("a");
    rig.process.exit();
    await settled();
    expect(exits(rig.events)[1]?.hung).toBeUndefined();
  });

  it("relaunches at once, or after the wait; whatever is run meanwhile ends the wait", async () => {
    const rig = new CollectorRig();
    rig.collector.relaunchAfter(launchOf("a"), 0, "it died");
    await settled();
    expect(rig.processes).toHaveLength(1);
    rig.process.exit();
    await settled();
    rig.collector.relaunchAfter(launchOf("a"), 2_000, "it died");
    expect(rig.collector.state).toMatchObject({ t: "backing-off", reason: "it died" });
    rig.clock.advance(1_999);
    await settled();
    expect(rig.processes).toHaveLength(1);
    await rig.collector.run(launchOf("b"), false);
    rig.clock.advance(10_000);
    await settled();
    expect(rig.processes).toHaveLength(2);
    expect(rig.collector.state).toMatchObject({ launch: { mark: "b" } });
  });

  it("tries again after it held, unless it was stopped", async () => {
    const rig = new CollectorRig();
    rig.collector.hold(launchOf("a"), 300_000, "nothing runs");
    expect(rig.collector.state).toMatchObject({ t: "held", reason: "nothing runs" });
    rig.clock.advance(300_000);
    await settled();
    expect(rig.collector.state.t).toBe("starting");
    await rig.collector.stop();
    rig.collector.hold(launchOf("a"), 300_000, "nothing runs");
    await rig.collector.stop();
    rig.clock.advance(300_000);
    await settled();
    expect(rig.collector.state.t).toBe("stopped");
  });

  it("tells a start that fails where nobody waits for it, and throws where somebody does", async () => {
    const rig = new CollectorRig();
    rig.spawnError = new Error("no such file");
    await expect(rig.collector.run(launchOf("a"), false)).rejects.toThrow("no such file");
    rig.collector.relaunchAfter(launchOf("a"), 0, "it died");
    await settled();
    expect(rig.events.at(-1)).toMatchObject({ t: "start-failed", error: { message: "no such file" } });
    expect(rig.collector.state.t).toBe("stopped");
  });

  it("can tell a claimant's exits from nobody's, however often he lets go", async () => {
    const rig = new CollectorRig();
    const release = rig.collector.claim();
    const other = rig.collector.claim();
    release();
    release();
    expect(rig.collector.claimed).toBe(true);
    await rig.running("a");
    rig.process.exit();
    await settled();
    expect(exits(rig.events)).toMatchObject([{ claimed: true }]);
    await rig.running("b");
    other();
    expect(rig.collector.claimed).toBe(false);
  });

  it("tells an exit again that the claimant did nothing about, but not one that he answered", async () => {
    const rig = new CollectorRig();
    const release = rig.collector.claim();
    await rig.running("a");
    rig.process.exit();
    await settled();
    release();
    expect(exits(rig.events).map(({ claimed }) => claimed)).toEqual([true, false]);
    for (const answer of [
      () => rig.collector.run(launchOf("b"), false),
      () => rig.collector.stop(),
      async () => rig.collector.hold(launchOf("b"), 1_000, "held"),
      async () => rig.collector.relaunchAfter(launchOf("b"), 0, "again"),
    ]) {
      await rig.collector.run(launchOf("b"), false);
      rig.events.length = 0;
      const done = rig.collector.claim();
      rig.process.exit();
      await settled();
      await answer();
      await settled();
      done();
      expect(exits(rig.events).map(({ claimed }) => claimed)).toEqual([true]);
    }
  });

  it("starts nothing any more once it is closed", async () => {
    const rig = new CollectorRig();
    await rig.running("a");
    await rig.collector.close();
    expect(rig.process.signals).toEqual(["SIGTERM"]);
    await expect(rig.collector.run(launchOf("b"), false)).rejects.toThrow("stopping");
    rig.collector.relaunchAfter(launchOf("b"), 0, "it died");
    await settled();
    expect(rig.processes).toHaveLength(1);
  });

  it("leaves the process running and its record in place when it is handed over", async () => {
    const rig = new CollectorRig();
    await rig.running("a");
    await rig.collector.release();
    expect(rig.process.released).toBe(true);
    expect(rig.process.signals).toEqual([]);
    expect(rig.records.at(-1)).toMatchObject({ mark: "a", healthy: true });
  });

  it("adopts a process as what it was: running, or still starting", async () => {
    const healthy = new CollectorRig();
    await healthy.collector.adopt(new ScriptedProcess(7, { adopted: true }), launchOf("a"), true);
    expect(healthy.collector.state.t).toBe("running");
    const unhealthy = new CollectorRig();
    const process = new ScriptedProcess(7, { adopted: true });
    await unhealthy.collector.adopt(process, launchOf("a"), false);
    expect(unhealthy.collector.state.t).toBe("starting");
    unhealthy.healthy("a");
    expect(unhealthy.collector.state.t).toBe("running");
  });

  it("looks at once whether the process still lives when its link closes", async () => {
    const rig = new CollectorRig();
    const process = new ScriptedProcess(7, { adopted: true });
    await rig.collector.adopt(process, launchOf("a"), true);
    const id = rig.link("a");
    rig.collector.unlinked(id);
    expect(process.looks).toBe(1);
    expect(rig.collector.link).toBeUndefined();
    // One that was replaced closes without anybody's concern.
    rig.link("a");
    rig.collector.unlinked(id);
    expect(rig.collector.link).toBeDefined();
  });

  it("keeps to the newest link when an older one arrives late or goes on talking", async () => {
    const rig = new CollectorRig();
    await rig.collector.run(launchOf("a"), false);
    rig.collector.linked(2, "a");
    rig.collector.linked(1, "old");
    rig.collector.reported(1, { health: healthOf(true), effectiveConfig: configOf("old") });
    expect(rig.collector.link).toMatchObject({ linkId: 2, mark: "a", health: undefined });
  });

  it("runs on a disk that cannot be written", async () => {
    const rig = new CollectorRig();
    rig.diskFull = true;
    await rig.running("a");
    expect(rig.collector.state.t).toBe("running");
  });
});

describe("programHash", () => {
  it("differs with the arguments and the environment, not with the mark", () => {
    expect(sameProgram(launchOf("a"), launchOf("b"))).toBe(true);
    expect(sameProgram(launchOf("a"), launchOf("a", ["--set=x"]))).toBe(false);
    expect(sameProgram(launchOf("a"), { ...launchOf("a"), env: { GOGC: "80" } })).toBe(false);
    expect(programHash({ ...launchOf("a"), env: { B: "2", A: "1" } })).toBe(
      programHash({ ...launchOf("a"), env: { A: "1", B: "2" } }),
    );
  });

  it("does not show the environment, which may hold secrets", () => {
    expect(programHash({ ...launchOf("a"), env: { TOKEN: "s3cret" } })).toMatch(/^[0-9a-f]{64}$/);
  });
});
