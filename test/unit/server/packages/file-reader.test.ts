import { appendFileSync, truncateSync, writeFileSync } from "node:fs";
import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FileReader, UnsettledFileError } from "../../../../src/server/packages/file-reader.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { tempDir } from "../../../support/temp-dir.ts";

/** Does something between opening a file and reading it, and between any two reads. */
function between(action: () => void): AbortSignal {
  return Object.assign(new AbortController().signal, { throwIfAborted: action });
}

describe("FileReader", () => {
  it.each([
    ["grows", (path: string) => appendFileSync(path, "!")],
    ["shrinks", (path: string) => truncateSync(path, 2)],
    ["is written again", (path: string) => writeFileSync(path, "0123456789")],
  ])("refuses a file that %s while it is read", async (_, change) => {
    const path = join(tempDir(), "file");
    writeFileSync(path, "9876543210");
    let changed = false;
    const signal = between(() => {
      if (!changed) change(path);
      changed = true;
    });
    const reader = new FileReader(new ManualClock());
    await expect(reader.digest(path, { trustFresh: true, signal })).rejects.toThrow(UnsettledFileError);
    const settled = await reader.digest(path, { trustFresh: true, signal });
    expect(settled.sha256).toHaveLength(64);
  });

  it("reads a file once, as long as it stays what it is", async () => {
    const path = join(tempDir(), "file");
    writeFileSync(path, "content");
    let reads = 0;
    const options = { trustFresh: true, signal: between(() => (reads += 1)) };
    const reader = new FileReader(new ManualClock());
    const first = await reader.digest(path, options);
    const readsOnce = reads;
    expect(await reader.digest(path, options)).toBe(first);
    expect(reads).toBe(readsOnce);
    writeFileSync(path, "another");
    expect((await reader.digest(path, options)).sha256).not.toBe(first.sha256);
  });

  it("follows no link, whoever made it after the folder was looked at", async () => {
    const path = join(tempDir(), "file");
    await symlink("/etc/passwd", path);
    const options = { trustFresh: true, signal: new AbortController().signal };
    await expect(new FileReader(new ManualClock()).digest(path, options)).rejects.toThrow("ELOOP");
  });
});
