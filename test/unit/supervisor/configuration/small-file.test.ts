import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readSmallFile } from "../../../../src/supervisor/configuration/small-file.ts";
import { tempDir } from "../../../support/temp-dir.ts";

describe("a file that a configuration names", () => {
  it("is read when it is small", async () => {
    const path = join(tempDir(), "secret");
    writeFileSync(path, "héllo\n");
    await expect(readSmallFile(path, 7)).resolves.toBe("héllo\n");
    writeFileSync(path, "");
    await expect(readSmallFile(path)).resolves.toBe("");
  });

  it("is not read when it is large, never ends, or is nothing to read from", async () => {
    const dir = tempDir();
    const path = join(dir, "large");
    writeFileSync(path, "12345678");
    await expect(readSmallFile(path, 7)).rejects.toThrow("larger than 7 bytes");
    execFileSync("mkfifo", [join(dir, "pipe")]);
    await expect(readSmallFile(join(dir, "pipe"))).rejects.toThrow("no regular file");
    await expect(readSmallFile("/dev/zero")).rejects.toThrow("no regular file");
    await expect(readSmallFile(dir)).rejects.toThrow("no regular file");
    await expect(readSmallFile(join(dir, "missing"))).rejects.toThrow("ENOENT");
  });
});
