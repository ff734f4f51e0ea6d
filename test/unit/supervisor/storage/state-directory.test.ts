import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import * as z from "zod/mini";
import type { LogFields, Logger } from "../../../../src/foundation/logger.ts";
import { silentLogger } from "../../../../src/foundation/logger.ts";
import { writeFileAtomically } from "../../../../src/supervisor/storage/atomic-file.ts";
import { JsonRecord } from "../../../../src/supervisor/storage/json-record.ts";
import { lockInstance } from "../../../../src/supervisor/storage/single-instance.ts";
import { StateDirectory } from "../../../../src/supervisor/storage/state-directory.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

let root: string;
let path: string;
let clock: ManualClock;
let errors: LogFields[];
let logger: Logger;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "state-"));
  path = join(root, "state");
  clock = new ManualClock();
  errors = [];
  logger = { ...silentLogger, error: (fields) => errors.push(fields) };
});
afterEach(() => rm(root, { recursive: true, force: true }));

const openDirectory = () => StateDirectory.open(path, { clock, logger });
const text = (name: string) => readFile(join(path, name), "utf8");
const modeOf = async (file: string) => (await stat(file)).mode & 0o777;

describe("StateDirectory", () => {
  it("keeps directory and files to its owner", async () => {
    const directory = await openDirectory();
    await directory.write("a", "1");
    expect(await modeOf(path)).toBe(0o700);
    expect(await modeOf(join(path, "a"))).toBe(0o600);
  });

  it("closes a directory that others could read", async () => {
    await openDirectory();
    await chmod(path, 0o755);
    await openDirectory();
    expect(await modeOf(path)).toBe(0o700);
  });

  it("names the directory when it cannot be one", async () => {
    await writeFile(path, "");
    await expect(openDirectory()).rejects.toThrow(`storage.directory ${path} cannot be used`);
  });

  it("gives undefined for what is not there, and removes it without complaint", async () => {
    const directory = await openDirectory();
    expect(await directory.read("none")).toBeUndefined();
    await directory.remove("none");
    expect(errors).toEqual([]);
  });

  it("keeps the order of writes and removals of one file", async () => {
    const directory = await openDirectory();
    const writes = Array.from({ length: 30 }, (_, n) => directory.write("a", "x".repeat((30 - n) * 20_000)));
    const removal = directory.remove("a");
    const last = directory.write("a", "last");
    await Promise.all([...writes, removal, last]);
    expect(await text("a")).toBe("last");
    expect(await readdir(path)).toEqual(["a"]);
  });

  it("goes on after a write that failed", async () => {
    const directory = await openDirectory();
    const failing = directory.write("missing/a", "1");
    await expect(failing).rejects.toThrow("ENOENT");
    await expect(directory.write("missing/a", "2")).rejects.toThrow("ENOENT");
    await directory.write("a", "3");
    expect(await text("a")).toBe("3");
  });

  it("sets damaged files aside, keeps the newest three, and says so", async () => {
    const directory = await openDirectory();
    for (let n = 0; n < 5; n += 1) {
      await directory.write("a", String(n));
      clock.advance(1000);
      await directory.setAside("a", "why");
    }
    const names = (await readdir(path)).sort();
    expect(names.every((name) => name.startsWith("a.corrupt-"))).toBe(true);
    expect(await Promise.all(names.map(text))).toEqual(["2", "3", "4"]);
    expect(errors).toHaveLength(5);
    expect(errors[0]).toMatchObject({ event: "state_corrupt", file: "a", reason: "why" });
  });

  it("links a file over another, again and again", async () => {
    const directory = await openDirectory();
    await directory.write("one", "1");
    await directory.write("two", "2");
    for (const source of ["one", "two", "two"]) await directory.linkOver(directory.path(source), "live");
    expect(await text("live")).toBe("2");
    await directory.write("live", "3");
    expect(await text("two")).toBe("2");
    expect((await readdir(path)).sort()).toEqual(["live", "one", "two"]);
  });
});

describe("atomic writes", () => {
  it("leave the old content and nothing else when they fail", async () => {
    const directory = await openDirectory();
    await directory.write("a/../a", "old");
    // A directory cannot be replaced by a file: the rename is what fails.
    await expect(writeFileAtomically(path, "new")).rejects.toThrow("EISDIR");
    expect(await text("a")).toBe("old");
    expect(await readdir(root)).toEqual(["state"]);
  });
});

describe("the lock", () => {
  it("lets one supervisor in, names it to the second, and is free after a release", async () => {
    const lock = await lockInstance(await openDirectory());
    await expect(lockInstance(await openDirectory())).rejects.toThrow(`(pid ${process.pid}) uses ${path}`);
    await lock.release();
    const next = await lockInstance(await openDirectory());
    await next.release();
    expect(await readdir(path)).toEqual([]);
  });

  it("belongs to the directory, not to its name", async () => {
    const lock = await lockInstance(await openDirectory());
    path = join(root, ".", "state", "..", "state");
    await expect(lockInstance(await openDirectory())).rejects.toThrow("another supervisor");
    path = join(root, "other");
    const other = await lockInstance(await openDirectory());
    await Promise.all([lock.release(), other.release()]);
  });

  it("is needed to clear away unfinished writes: a second supervisor must not end those of the first", async () => {
    const directory = await openDirectory();
    const lock = await lockInstance(directory);
    await writeFile(join(path, "a.0123abcd.tmp"), "unfinished");
    await expect(lockInstance(await openDirectory())).rejects.toThrow("another supervisor");
    expect(await readdir(path)).toContain("a.0123abcd.tmp");
    await lock.release();
    const next = await lockInstance(await openDirectory());
    expect(await readdir(path)).not.toContain("a.0123abcd.tmp");
    await next.release();
  });
});

describe("JsonRecord", () => {
  const schema = z.object({ n: z.number() });
  const openRecord = async () => JsonRecord.open(await openDirectory(), "r.json", schema, { n: 0 });

  it("remembers across starts", async () => {
    const record = await openRecord();
    expect(record.value).toEqual({ n: 0 });
    await record.save({ n: 1 });
    expect((await openRecord()).value).toEqual({ n: 1 });
  });

  it("keeps the last of many values saved at once", async () => {
    const record = await openRecord();
    await Promise.all(Array.from({ length: 30 }, (_, n) => record.save({ n })));
    expect((await openRecord()).value).toEqual({ n: 29 });
  });

  it.each(["", "{", '{"n": "x"}', "null", "\u0000\u0001"])(
    "sets %j aside and begins anew",
    async (content) => {
      await (await openDirectory()).write("r.json", content);
      expect((await openRecord()).value).toEqual({ n: 0 });
      expect(await readdir(path)).toEqual([expect.stringMatching(/^r\.json\.corrupt-/)]);
      expect(errors).toHaveLength(1);
    },
  );

  it("quotes nothing of a damaged file", async () => {
    await (await openDirectory()).write("r.json", '"hunter2');
    await openRecord();
    await (await openDirectory()).write("r.json", "hunter2");
    await openRecord();
    expect(errors).toHaveLength(2);
    expect(JSON.stringify(errors)).not.toContain("hunter2");
  });
});
