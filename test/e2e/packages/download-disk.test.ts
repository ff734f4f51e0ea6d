import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { tempDir } from "../../support/temp-dir.ts";
import { content, fileServer, get, sendBody } from "../../unit/supervisor/packages/download/support.ts";

it("a download that fills the disk fails for this host, and gives back what it took", async () => {
  const folder = tempDir();
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", folder]);
  onTestFinished(() => void execFileSync("umount", ["-l", folder]));
  const file = content(3_000_000);
  const server = await fileServer((_, response) => sendBody(response, file.bytes));
  // Free space is looked for before; another program takes it then.
  const { outcome, path } = get(`${server.origin}/f`, file, { path: join(folder, "file") });
  expect(await outcome).toEqual({
    t: "failed",
    fault: "host",
    reason: `the disk is full: no space to write ${path}; free some on its file system`,
  });
  expect(existsSync(path)).toBe(false);
});
