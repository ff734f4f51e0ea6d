import { writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { eventually } from "../support/eventually.ts";
import { fetchJson } from "../support/raw-agent.ts";
import { runCommand } from "../support/run-command.ts";
import { onFreePorts, ServerProcess, settingsFile } from "../support/server-process.ts";
import { supervisorHost } from "../support/supervisor-host.ts";

interface AgentView {
  remote_config_status: { status: string; error: string | null } | null;
}

describe("opamp-server and a host that trusts a key", () => {
  it("passes on what opamp-supervisor keys has signed; what it makes up itself is refused", async () => {
    const server = new ServerProcess("--config", await settingsFile(onFreePorts));
    const { opamp, management } = await server.urls();
    const host = await supervisorHost({ server: "down" });
    const at = (name: string) => join(host.dir, name);
    const keys = async (...args: string[]) =>
      expect(await runCommand("keys", ...args)).toMatchObject({ code: 0 });
    await keys("generate", "--key", at("key.pem"));
    const endpoint = opamp.href.replace(/^http/, "ws");
    await host.writeSettings({ trust: { config_keys: [at("key.pem.pub")] } }, {}, { server: { endpoint } });
    await host.start();
    const status = async () => {
      const { json } = await fetchJson<{ agents: AgentView[] }>(new URL("/api/v1/agents", management));
      return json.agents[0]?.remote_config_status ?? undefined;
    };
    await eventually(
      "an agent",
      async () => {
        const { json } = await fetchJson<{ agents: AgentView[] }>(new URL("/api/v1/agents", management));
        return json.agents.length === 1;
      },
      20_000,
    );
    writeFileSync(at("collector.yaml"), JSON.stringify(host.pipeline()));
    const post = (path: string, type: string) =>
      readFile(at(path)).then((body) =>
        fetchJson<{ matched: number }>(new URL("/api/v1/config", management), {
          method: "POST",
          body,
          headers: { "content-type": type },
        }),
      );
    expect((await post("collector.yaml", "application/yaml")).json).toMatchObject({ matched: 1 });
    const refused = await eventually(
      "a verdict",
      async () => {
        const found = await status();
        return found?.status === "FAILED" && found;
      },
      20_000,
    );
    expect(refused.error).toContain("refused by agent.trust: unsigned: ");
    await keys(
      ...["sign", "--key", at("key.pem"), "--audience", "fleet", "--expires-in", "1h", at("collector.yaml")],
      ...["--signature", at("sig"), "--body", at("body.json")],
    );
    const type = "application/vnd.opamp-supervisor.config-map+json";
    expect((await post("body.json", type)).json).toMatchObject({ matched: 1 });
    await eventually("APPLIED", async () => (await status())?.status === "APPLIED", 20_000);
    await host.expectDataFlows();
  });
});
