import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { RemoteConfigStatuses } from "../../../src/opamp/messages.ts";
import { demanding, largePipelines } from "../../support/demanding-configurations.ts";
import { hashOf, remoteConfig } from "../../support/recording-opamp-server.ts";
import { launcher, supervisorHost } from "../../support/supervisor-host.ts";

const { RemoteConfigStatuses_APPLIED: applied, RemoteConfigStatuses_FAILED: failed } = RemoteConfigStatuses;

const mebibyte = 1024 * 1024;
const slow = { timeout: 300_000 };
const verdictMs = 120_000;

describe("under the launcher's memory limit", () => {
  const flags = /^flags="(.*)"$/m.exec(readFileSync(launcher, "utf8"))?.[1]?.split(" ") ?? [];
  const child = fileURLToPath(new URL("../../support/compose-in-child.ts", import.meta.url));

  async function outcomesOf(bytes: number): Promise<Record<string, string>> {
    const args = [...flags, child, String(bytes), ...Object.keys(demanding)];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    return JSON.parse(stdout) as Record<string, string>;
  }

  it("no configuration of the largest size is the end of the program", slow, async () => {
    expect(flags).toContain("--max-old-space-size=96");
    const outcomes = await outcomesOf(4 * mebibyte - 200 * 1024);
    expect(Object.keys(outcomes)).toEqual(Object.keys(demanding));
    for (const outcome of Object.values(outcomes)) {
      expect(outcome).toMatch(/^merged$|^ConfigurationError: .*(?:too large|nested deeper|too many aliases)/);
    }
    expect(outcomes).toMatchObject({
      "a secret text": "merged",
      "a secret key": "merged",
      references: "merged",
    });
  });
});

it("AC9 without restrictions a configuration of nearly 4 MiB is applied", slow, async () => {
  const host = await supervisorHost({ agent: { config_apply_timeout: "60s" } });
  await host.startHealthy();
  const large = remoteConfig({ "": largePipelines(3.9 * mebibyte) });
  host.server.offer(large);
  expect(await host.server.verdict(large, 0, verdictMs)).toMatchObject({ status: applied, errorMessage: "" });
  expect(await host.readState("effective.yaml")).toContain("customer-49-of-0");
});

it("a configuration that is too much is FAILED, and the supervisor goes on", slow, async () => {
  const host = await supervisorHost();
  const { pid } = await host.startHealthy();
  const good = await host.apply(host.remotePipeline());
  const collector = await host.onlyCollector();
  for (const [name, bytes, reason] of [
    ["a quoted text", 10 * mebibyte, /too large, 1048\d+ bytes where this program can merge 4194304/],
    ["a quoted text", 3 * mebibyte, /too large: more than 1048576 characters in double quotes/],
    ["a map of short keys", 3.9 * mebibyte, /too large: more than 250000 values/],
    ["a list of numbers", mebibyte, /too large: .* more than 100000 tokens/],
    ["deep flow lists", 3.9 * mebibyte, /nested deeper than 100 levels/],
    ["aliases of a long text", 100_000, /too many aliases/],
    ["an alias bomb", 100_000, /too many aliases/],
  ] as const) {
    const offer = remoteConfig({ "": demanding[name]?.(bytes) ?? "" });
    const from = host.server.mark;
    host.server.offer(offer);
    const verdict = await host.server.verdict(offer, from, verdictMs);
    expect(verdict).toMatchObject({ status: failed, errorMessage: expect.stringMatching(reason) });
  }
  expect(await host.onlyCollector()).toBe(collector);
  expect(() => process.kill(pid, 0)).not.toThrow();
  const again = host.remotePipeline({ telemetry: { resource: { again: "yes" } } });
  expect(hashOf(await host.apply(again))).not.toEqual(hashOf(good));
});
