import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readProcess } from "../../../../src/supervisor/collector/process-identity.ts";
import { runOneShot } from "../../../../src/supervisor/collector/process-one-shot.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

const shell = (
  body: string,
  options: { timeoutMs?: number; maxOutputBytes?: number; clock?: ManualClock } = {},
) =>
  runOneShot({ executable: "/bin/sh", args: ["-c", body], env: process.env, timeoutMs: 10_000, ...options });

describe("runOneShot", () => {
  it("gives code and both outputs", async () => {
    expect(await shell("echo out; echo err >&2; exit 4")).toEqual({
      outcome: "exited",
      code: 4,
      signal: null,
      stdout: "out\n",
      stderr: "err\n",
    });
  });

  it("kills the whole group when the time is over", async () => {
    const directory = await mkdtemp(join(tmpdir(), "one-shot-"));
    const up = join(directory, "up");
    await once(spawn("mkfifo", [up]), "exit");
    const clock = new ManualClock();
    const running = shell(`sleep 100 & echo $!; echo > ${up}; wait`, { timeoutMs: 3_000, clock });
    await readFile(up);
    await rm(directory, { recursive: true });
    clock.advance(3_000);
    const result = await running;
    expect(result.outcome).toBe("timed-out");
    const child = Number(result.outcome === "timed-out" ? result.stdout : "");
    expect(child).toBeGreaterThan(1);
    while (readProcess(child)?.zombie === false) await new Promise((done) => setImmediate(done));
  });

  it("ends with the command, although something that it left behind holds the pipes", async () => {
    const result = await shell("sleep 100 & echo $!; exit 0");
    expect(result).toMatchObject({ outcome: "exited", code: 0 });
  });

  it("keeps the first and the last part of too much output", async () => {
    const result = await shell("echo first; head -c 1000000 /dev/zero | tr '\\0' x; echo; echo last", {
      maxOutputBytes: 1_000,
    });
    const stdout = result.outcome === "exited" ? result.stdout : "";
    expect(stdout).toMatch(/^first\nx+\n…\nx+\nlast\n$/);
    expect(stdout.length).toBeLessThan(1_100);
  });

  it("does not hide a command that cannot be executed", async () => {
    const result = await runOneShot({ executable: "/nonexistent/x", args: [], env: {}, timeoutMs: 1_000 });
    expect(result).toMatchObject({ outcome: "not-started" });
    expect(result.outcome === "not-started" ? result.error.message : "").toContain(
      "/nonexistent/x: no such file",
    );
  });
});
