import { writeSync } from "node:fs";
import { appendFile, mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type LogFields, silentLogger } from "../../../../src/foundation/logger.ts";
import { AgentLog } from "../../../../src/supervisor/collector/agent-log.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

let directory: string;
let path: string;
const opened: AgentLog[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "agent-log-"));
  path = join(directory, "agent.log");
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((log) => log.close()));
  await rm(directory, { recursive: true });
});

function makeLog(options: { maxBytes?: number; keep?: number; clock?: ManualClock; events?: string[] } = {}) {
  const { events, ...rest } = options;
  const warn = (fields: LogFields) => void events?.push(fields.event);
  const log = new AgentLog({ path, logger: { ...silentLogger, warn }, ...rest });
  opened.push(log);
  return log;
}

describe("AgentLog", () => {
  it("appends to what is there, and makes a file that others may not read", async () => {
    const log = makeLog();
    const first = await log.openForAppend();
    writeSync(first, "one\n");
    await log.release(first);
    const second = await log.openForAppend();
    writeSync(second, "two\n");
    await log.release(second);
    expect(await readFile(path, "utf8")).toBe("one\ntwo\n");
    expect((await stat(path)).mode & 0o007).toBe(0);
  });

  it("quotes only what was written since a position", async () => {
    await writeFile(path, "Error: an old failure\n");
    const log = makeLog();
    const position = await log.position();
    expect(await log.excerptSince(position)).toBe("");
    await appendFile(path, "Error: the new failure\n");
    expect(await log.excerptSince(position)).toBe("Error: the new failure");
  });

  it("has position 0 and no excerpt before there is a file", async () => {
    const log = makeLog();
    expect(await log.position()).toBe(0);
    expect(await log.excerptSince(0)).toBe("");
  });

  it("rotates by copy and truncation, so that a held descriptor goes on writing at the start", async () => {
    const log = makeLog({ maxBytes: 10, keep: 2 });
    const descriptor = await log.openForAppend();
    for (const text of ["first first\n", "second second\n", "third third\n"]) {
      writeSync(descriptor, text);
      expect(await log.rotateIfLarge()).toBe(true);
    }
    writeSync(descriptor, "now\n");
    expect(await log.rotateIfLarge()).toBe(false);
    await log.release(descriptor);
    expect(await readFile(path, "utf8")).toBe("now\n");
    expect(await readFile(`${path}.1`, "utf8")).toBe("third third\n");
    expect(await readFile(`${path}.2`, "utf8")).toBe("second second\n");
    await expect(stat(`${path}.3`)).rejects.toThrow("ENOENT");
  });

  it("keeps positions good over a rotation, and quotes what went into the copy", async () => {
    const log = makeLog({ maxBytes: 10 });
    await writeFile(path, "Error: before\n");
    const position = await log.position();
    await appendFile(path, "Error: why it died\n");
    await log.rotateIfLarge();
    await appendFile(path, "after\n");
    expect(await log.position()).toBe(position + "Error: why it died\nafter\n".length);
    expect(await log.excerptSince(position)).toBe("Error: why it died\nafter");
  });

  it("keeps positions good when somebody else truncates the file", async () => {
    const log = makeLog();
    await writeFile(path, "a long line that was there before\n");
    const position = await log.position();
    await truncate(path);
    await appendFile(path, "Error: new\n");
    expect(await log.position()).toBe(position + "Error: new\n".length);
    expect(await log.excerptSince(position)).toBe("Error: new");
  });

  it("looks at the size on a timer", async () => {
    const clock = new ManualClock();
    const log = makeLog({ maxBytes: 10, clock });
    log.start();
    await writeFile(path, "more than ten bytes\n");
    clock.advance(10_000);
    await log.position();
    expect((await stat(path)).size).toBe(0);
    await log.close();
    expect(clock.pending).toEqual([]);
  });

  it("reports a rotation that fails, and goes on", async () => {
    const events: string[] = [];
    const log = makeLog({ maxBytes: 0, events, keep: 1 });
    await writeFile(path, "text\n");
    // A directory in the way of the copy, and rm without recursive cannot remove it.
    await mkdir(`${path}.1`);
    expect(await log.rotateIfLarge()).toBe(false);
    expect(events).toEqual(["agent_log_rotation_failed"]);
    expect(await readFile(path, "utf8")).toBe("text\n");
  });
});

describe("AgentLog.follow", () => {
  it("hands on whole lines written from now on, and the unfinished one at the end", async () => {
    await writeFile(path, "before\n");
    const log = makeLog();
    const lines: string[] = [];
    const follower = await log.follow((line) => lines.push(line));
    await appendFile(path, "one\r\ntwo\nthr");
    await follower.close();
    expect(lines).toEqual(["one", "two", "thr"]);
  });

  it("looks four times a second, and joins what came in pieces", async () => {
    const clock = new ManualClock();
    const log = makeLog({ clock });
    const lines: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    await log.follow((line) => {
      lines.push(line);
      resolve();
    });
    await writeFile(path, "half ");
    clock.advance(250);
    // The next look is only planned once this one is over.
    while (clock.pending.length === 0) await new Promise((done) => setImmediate(done));
    expect(lines).toEqual([]);
    await appendFile(path, "ä line\n");
    clock.advance(250);
    await promise;
    expect(lines).toEqual(["half ä line"]);
  });

  it("loses no line to a rotation, also when as much comes after it as was there before", async () => {
    const log = makeLog({ maxBytes: 4 });
    const lines: string[] = [];
    const follower = await log.follow((line) => lines.push(line));
    await writeFile(path, "aaaa\nbbbb\n");
    await log.rotateIfLarge();
    await appendFile(path, "cccc\ndddd\neeee\n");
    await follower.close();
    expect(lines).toEqual(["aaaa", "bbbb", "cccc", "dddd", "eeee"]);
  });

  it("splits a line without end at 64 KiB, between characters", async () => {
    const log = makeLog();
    const lines: string[] = [];
    const follower = await log.follow((line) => lines.push(line));
    const long = `x${"ä".repeat(70_000)}`;
    await writeFile(path, `${long}\nnext\n`);
    await follower.close();
    expect(lines.slice(0, -1).join("")).toBe(long);
    expect(lines.at(-1)).toBe("next");
    expect(Math.max(...lines.map((line) => Buffer.byteLength(line)))).toBeLessThanOrEqual(65_536);
  });
});
