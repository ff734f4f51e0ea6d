// Shell scripts stand in for commands that hang, crash or cannot be started; verdicts of the real Collector are in test/e2e.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { validateConfiguration } from "../../../../src/supervisor/collector/validate.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "validate-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

async function validate(
  body: string,
  options: { timeoutMs?: number; featureGates?: string[]; clock?: ManualClock } = {},
) {
  const executable = join(directory, "collector");
  await writeFile(executable, `#!/bin/sh\n${body}\n`);
  await chmod(executable, 0o755);
  const configPath = "/etc/config.yaml";
  return await validateConfiguration({
    executable,
    configPath,
    args: ["--set=a=b"],
    env: process.env,
    timeoutMs: 10_000,
    ...options,
  });
}

describe("validateConfiguration", () => {
  it("passes the same gates and arguments as the run", async () => {
    const { verdict, ...rest } = await validate('echo "Error: $*" >&2; exit 1', {
      featureGates: ["x.a", "x.b"],
    });
    expect(verdict).toBe("invalid");
    expect(rest).toEqual({
      reason: "exit code 1: validate --config /etc/config.yaml --feature-gates x.a,x.b --set=a=b",
    });
  });

  it("is undecided when the host is at fault", async () => {
    const up = join(directory, "up");
    await once(spawn("mkfifo", [up]), "exit");
    const clock = new ManualClock();
    const hanging = validate(`echo 'Error: half' >&2; echo > ${up}; exec sleep 100`, {
      timeoutMs: 10_000,
      clock,
    });
    await readFile(up);
    clock.advance(10_000);
    expect(await hanging).toMatchObject({
      verdict: "undecided",
      reason: expect.stringContaining("did not end within 10000 ms: half") as string,
    });
    expect(await validate("kill -KILL $$")).toEqual({ verdict: "undecided", reason: "killed by SIGKILL" });
    expect(await validate("exec /nonexistent/x")).toMatchObject({ verdict: "undecided" });
    expect(await validate(`echo 'Error: unknown command "validate" for "col"'; exit 1`)).toMatchObject({
      verdict: "undecided",
    });
    const executable = join(directory, "missing");
    const missing = await validateConfiguration({
      executable,
      configPath: "c",
      args: [],
      env: {},
      timeoutMs: 1_000,
    });
    expect(missing).toMatchObject({
      verdict: "undecided",
      reason: expect.stringContaining("no such file") as string,
    });
  });

  it("takes exit 0 alone for a yes", async () => {
    expect(await validate("echo 'Error: not one'; exit 0")).toEqual({ verdict: "valid" });
    expect(await validate("exit 2")).toEqual({ verdict: "invalid", reason: "exit code 2" });
  });
});
