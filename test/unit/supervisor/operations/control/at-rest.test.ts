import { chmod, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { silentLogger } from "../../../../../src/foundation/logger.ts";
import { bookSchema, emptyBook } from "../../../../../src/supervisor/change/configuration-book.ts";
import { noPackagesRecord } from "../../../../../src/supervisor/change/packages-record.ts";
import { readProcess } from "../../../../../src/supervisor/collector/process-identity.ts";
import {
  clearQuarantineAtRest,
  findLeftPid,
  readBookAtRest,
} from "../../../../../src/supervisor/operations/control/at-rest.ts";
import { lockInstance } from "../../../../../src/supervisor/storage/single-instance.ts";
import { StateDirectory } from "../../../../../src/supervisor/storage/state-directory.ts";
import { ManualClock } from "../../../../support/manual-clock.ts";
import { tempDir } from "../../../../support/temp-dir.ts";

const quarantined = ["aaaaaa01", "bbbbbb02"].map((hash) => ({ hash, reason: "it died", at: 1 }));

async function stateDirectory(book: object | string = { ...emptyBook, quarantined }) {
  const directory = join(tempDir(), "state");
  await mkdir(directory, { mode: 0o700 });
  const file = join(directory, "configuration_book.json");
  await writeFile(file, typeof book === "string" ? book : JSON.stringify(book));
  const hashes = async () =>
    bookSchema.parse(JSON.parse(await readFile(file, "utf8"))).quarantined.map(({ hash }) => hash);
  return { directory, file, hashes };
}

const hash = (text: string) => ({ t: "hash", hash: text }) as const;

describe("the state directory of a supervisor that is not running", () => {
  it("is read without being changed", async () => {
    const { directory } = await stateDirectory();
    expect((await readBookAtRest(directory)).quarantined).toEqual(quarantined);
    expect(await readdir(directory)).toEqual(["configuration_book.json"]);
    expect(await readBookAtRest(join(directory, "none"))).toEqual(emptyBook);
  });

  it("has its quarantine cleared, and keeps all else, its mode too", async () => {
    const { directory, hashes } = await stateDirectory();
    // As with agent.run_as.
    await chmod(directory, 0o710);
    expect(await clearQuarantineAtRest(directory, hash("aaaaaa"))).toEqual(["aaaaaa01"]);
    expect(await hashes()).toEqual(["bbbbbb02"]);
    expect(await clearQuarantineAtRest(directory, { t: "all" })).toEqual(["bbbbbb02"]);
    expect(await hashes()).toEqual([]);
    expect(await readdir(directory)).toEqual(["configuration_book.json"]);
    expect((await stat(directory)).mode & 0o777).toBe(0o710);
  });

  it("has its packages tried again when they are cleared", async () => {
    const both = "aaaaaa01+packages:cccccc03";
    const { directory, hashes } = await stateDirectory({
      ...emptyBook,
      quarantined: [...quarantined, { hash: both, reason: "it died", at: 1 }],
    });
    const file = join(directory, "packages.json");
    const tries = [{ offer: "o", count: 3 }];
    await writeFile(file, JSON.stringify({ ...noPackagesRecord, offer: "o", outcome: "failed", tries }));
    await clearQuarantineAtRest(directory, hash("bbbbbb"));
    expect(JSON.parse(await readFile(file, "utf8"))).toMatchObject({ outcome: "failed", tries });
    await clearQuarantineAtRest(directory, hash("cccccc"));
    expect(await hashes()).toEqual(["aaaaaa01"]);
    expect(JSON.parse(await readFile(file, "utf8"))).toMatchObject({
      offer: "o",
      outcome: "under-way",
      tries: [],
    });
  });

  it("is not made where there is none", async () => {
    const directory = join(tempDir(), "none");
    expect(await clearQuarantineAtRest(directory, { t: "all" })).toEqual([]);
    await expect(clearQuarantineAtRest(directory, hash("aaaaaa"))).rejects.toThrow("nothing is quarantined");
    await expect(stat(directory)).rejects.toThrow("ENOENT");
  });

  it("is left alone while a supervisor holds it", async () => {
    const { directory, hashes } = await stateDirectory();
    const state = await StateDirectory.open(directory, { clock: new ManualClock(), logger: silentLogger });
    const lock = await lockInstance(state);
    try {
      await expect(clearQuarantineAtRest(directory, { t: "all" })).rejects.toThrow("another supervisor");
      expect(await hashes()).toEqual(["aaaaaa01", "bbbbbb02"]);
    } finally {
      await lock.release();
    }
  });

  it("with a damaged book is refused and left as it is", async () => {
    const { directory, file } = await stateDirectory("{");
    await expect(clearQuarantineAtRest(directory, { t: "all" })).rejects.toThrow("is damaged");
    expect(await readFile(file, "utf8")).toBe("{");
  });

  it("names the Collector that was left running, and no other process of that pid", async () => {
    const { directory } = await stateDirectory();
    expect(await findLeftPid(directory)).toBeUndefined();
    const { startTime = "" } = readProcess(process.pid) ?? {};
    const record = (time: string) =>
      writeFile(
        join(directory, "collector.json"),
        JSON.stringify({
          process: { pid: process.pid, startTime: time },
          mark: "a",
          program: "",
          healthy: true,
        }),
      );
    await record(startTime);
    expect(await findLeftPid(directory)).toBe(process.pid);
    await record("another boot/1");
    expect(await findLeftPid(directory)).toBeUndefined();
    await writeFile(join(directory, "collector.json"), "null");
    expect(await findLeftPid(directory)).toBeUndefined();
  });
});
