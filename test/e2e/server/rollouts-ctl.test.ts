import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { AnsweringAgents } from "../../support/answering-agents.ts";
import { eventually } from "../../support/eventually.ts";
import { fetchJson } from "../../support/raw-agent.ts";
import { onFreePorts, ServerProcess, settingsFile } from "../../support/server-process.ts";
import { tempDir } from "../../support/temp-dir.ts";

const quick = {
  name: "quick",
  stages: [
    { name: "one", count: 1, dwell: "1s" },
    { name: "all", share: "100%", dwell: "1s" },
  ],
};

interface Called {
  code: number | null;
  output: string;
  errors: string;
}

/** A server, three agents that answer, and `ctl` to call it with. */
async function fleet() {
  const server = new ServerProcess("--config", await settingsFile(onFreePorts));
  const { opamp, management } = await server.urls();
  const agents = new AnsweringAgents(opamp);
  await agents.join(3, { env: "test" });
  const ctl = async (...args: string[]): Promise<Called> => {
    const call = new ServerProcess("ctl", ...args, "--server", management.href);
    const code = await call.exited;
    return { code, output: call.output, errors: call.errors };
  };
  const push = async (text: string, strategy: string) => {
    const url = new URL(`/api/v1/config?strategy=${strategy}`, management);
    const { json } = await fetchJson<{ rollout: string; config_hash: string }>(url, {
      method: "POST",
      body: text,
    });
    return { id: json.rollout, hashHex: json.config_hash };
  };
  const body = JSON.stringify(quick);
  await fetchJson(new URL("/api/v1/strategies", management), { method: "POST", body });
  return { agents, ctl, push };
}

it("ctl watches a rollout to its end, and exits 1 when it was taken back", async () => {
  const { agents, ctl, push } = await fleet();
  const good = await push("receivers: {a: }\n", "quick");
  const watched = await ctl("rollout", "watch", good.id);
  expect(watched).toMatchObject({ code: 0, errors: "" });
  expect(watched.output).toMatch(/ created .*\n.* stage-begun {2}stage one/);
  expect(watched.output).toContain("stage-passed  stage all passed");
  expect(agents.have(good)).toBe(3);
  const bad = await push("receivers: {bad: }\n", "quick");
  const failed = await ctl("rollout", "watch", bad.id, "--timeout", "30s");
  expect(failed.code).toBe(1);
  expect(failed.output).toContain("1 of 1 that answered FAILED");
  const list = await ctl("rollouts");
  expect(list.output).toMatch(/^ROLLOUT +STATE.*\n.* rolled-back .*\n.* done /);
  expect((await ctl("rollout", "show", good.id)).output).toContain("done; 3 released, 3 applied");
  expect((await ctl("rollout", "pause", good.id, "--reason", "too late")).errors).toContain("is not running");
});

it("ctl takes agents back, waits until all are, and lists those that are not", async () => {
  const { agents, ctl, push } = await fleet();
  const old = await push("receivers: {old: }\n", "immediate");
  const young = await push("receivers: {young: }\n", "immediate");
  await eventually("all have the new one", () => agents.have(young) === 3);
  const back = await ctl("rollback", "env=test", "--reason", "errors", "--wait", "--timeout", "30s");
  expect(back).toMatchObject({ code: 0, output: expect.stringContaining("3 of 3 agents are back") });
  expect(agents.have(old)).toBe(3);
  const again = await ctl("rollback", "env=test", "--reason", "errors", "--wait");
  expect([again.code, again.errors]).toEqual([1, expect.stringContaining("can be gone back to")]);
  expect((await ctl("rollback", "env=test")).code).toBe(2);
});

it("ctl drills a rollout and its way back on a selector", async () => {
  const { agents, ctl, push } = await fleet();
  const file = join(tempDir(), "collector.yaml");
  await writeFile(file, "receivers: {old: }\n");
  const old = await push("receivers: {old: }\n", "immediate");
  await eventually("all have it", () => agents.have(old) === 3);
  const drill = await ctl("drill", "rollback", "env=test", "--timeout", "30s");
  expect(drill).toMatchObject({ code: 0, output: expect.stringMatching(/brought in .*taken back in /s) });
  expect(agents.have(old)).toBe(3);
  expect((await ctl("drill", "rollout")).code).toBe(2);
});
