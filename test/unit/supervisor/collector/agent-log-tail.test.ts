import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { silentLogger } from "../../../../src/foundation/logger.ts";
import { AgentLog } from "../../../../src/supervisor/collector/agent-log.ts";
import { LogFollower } from "../../../../src/supervisor/collector/agent-log-follow.ts";
import { readLogTail } from "../../../../src/supervisor/collector/agent-log-tail.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { tempDir } from "../../../support/temp-dir.ts";

const logPath = () => join(tempDir(), "agent.log");

it("gives the last lines in their order, and of a missing file none", async () => {
  const path = logPath();
  expect(await readLogTail(path, 5)).toEqual({ lines: [], end: 0 });
  writeFileSync(path, "one\ntwo\nthree\n");
  expect(await readLogTail(path, 2)).toEqual({ lines: ["two", "three"], end: 14 });
  expect((await readLogTail(path, 0)).lines).toEqual([]);
});

it("goes on in the rotated copies, oldest lines first", async () => {
  const path = logPath();
  writeFileSync(`${path}.2`, "a\nb\n");
  writeFileSync(`${path}.1`, "c\nd\n");
  writeFileSync(path, "e\n");
  expect((await readLogTail(path, 4)).lines).toEqual(["b", "c", "d", "e"]);
  expect((await readLogTail(path, 99)).lines).toEqual(["a", "b", "c", "d", "e"]);
});

it("reads lines that are longer than what it reads at a time", async () => {
  const path = logPath();
  const long = "é".repeat(100_000);
  writeFileSync(path, `first\n${long}\nlast`);
  expect((await readLogTail(path, 2)).lines).toEqual([long, "last"]);
});

it("leaves an unfinished line to who follows, who gets it whole", async () => {
  const path = logPath();
  writeFileSync(path, "done\nhal");
  const { lines, end } = await readLogTail(path, 9, { wholeOnly: true });
  expect({ lines, end }).toEqual({ lines: ["done"], end: 5 });
  const followed: string[] = [];
  const onLine = (line: string) => void followed.push(line);
  const follower = new LogFollower({ path, from: end, onLine, clock: new ManualClock() });
  appendFileSync(path, "f\n");
  await follower.close();
  expect(followed).toEqual(["half"]);
});

it("loses nothing over a rotation by another process", async () => {
  const path = logPath();
  const log = new AgentLog({ path, logger: silentLogger, maxBytes: 10, clock: new ManualClock() });
  writeFileSync(path, "seen before\n");
  const followed: string[] = [];
  const onLine = (line: string) => void followed.push(line);
  const clock = new ManualClock();
  const follower = new LogFollower({ path, from: 12, onLine, copiedTo: `${path}.1`, clock });
  appendFileSync(path, "just before\nacross ");
  expect(await log.rotateIfLarge()).toBe(true);
  appendFileSync(path, "it\n");
  await follower.close();
  expect(followed).toEqual(["just before", "across it"]);
});
