import { mkdir, readFile, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { silentLogger } from "../../../../src/foundation/logger.ts";
import { StateDirectory } from "../../../../src/supervisor/storage/state-directory.ts";
import { eventually } from "../../../support/eventually.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { tempDir } from "../../../support/temp-dir.ts";

/** A directory in which `file` cannot be written until the obstacle is gone. */
async function blocked() {
  const path = tempDir();
  const clock = new ManualClock();
  const directory = await StateDirectory.open(path, { clock, logger: silentLogger });
  onTestFinished(() => directory.close());
  const obstacle = join(path, "file");
  await mkdir(obstacle);
  return { directory, clock, file: obstacle, unblock: () => rmdir(obstacle) };
}

describe("StateDirectory.writeInTheEnd", () => {
  it("rejects, and writes the newest content once that works", async () => {
    const { directory, clock, file, unblock } = await blocked();
    await expect(directory.writeInTheEnd("file", "old")).rejects.toThrow("file");
    await expect(directory.writeInTheEnd("file", "new")).rejects.toThrow("file");
    clock.advance(5_000);
    await expect(directory.writeInTheEnd("file", "newest")).rejects.toThrow("file");
    await unblock();
    clock.advance(10_000);
    await eventually(
      "the newest content is written",
      async () => (await readFile(file, "utf8")) === "newest",
    );
  });

  it("does not bring an old content back over a newer one that was written", async () => {
    const { directory, clock, file, unblock } = await blocked();
    await expect(directory.writeInTheEnd("file", "old")).rejects.toThrow("file");
    await unblock();
    await directory.writeInTheEnd("file", "new");
    clock.advance(10_000);
    await directory.write("other", "done");
    expect(await readFile(file, "utf8")).toBe("new");
  });

  it("gives up when the directory is closed", async () => {
    const { directory, clock } = await blocked();
    await expect(directory.writeInTheEnd("file", "old")).rejects.toThrow("file");
    directory.close();
    expect(clock.pending).toEqual([]);
  });
});
