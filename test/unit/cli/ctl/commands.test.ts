import { describe, expect, it, onTestFinished } from "vitest";
import { UsageError } from "../../../../src/cli/command-line.ts";
import { agentCommand } from "../../../../src/cli/ctl/agent.ts";
import { agentsCommand } from "../../../../src/cli/ctl/agents.ts";
import { ApiClient, ApiError } from "../../../../src/cli/ctl/api-client.ts";
import { configCommand } from "../../../../src/cli/ctl/config.ts";
import { type CtlCommand, type CtlContext, parseCtlCall } from "../../../../src/cli/ctl/ctl-command.ts";
import { groupsCommand } from "../../../../src/cli/ctl/groups.ts";
import { labelCommand } from "../../../../src/cli/ctl/label.ts";
import { packagesCommand } from "../../../../src/cli/ctl/packages.ts";
import { restartCommand } from "../../../../src/cli/ctl/restart.ts";
import { AgentCapability } from "../../../../src/opamp/bits.ts";
import { formatInstanceUid } from "../../../../src/opamp/instance-uid.ts";
import { RawWebSocketAgent, type Report, usualCapabilities } from "../../../support/raw-agent.ts";
import { startPackageServer } from "../../server/packages/package-folder.ts";
import { startTestServer, type TestServer, yaml } from "../../server/test-server.ts";

const text = "receivers:\n  otlp:\nexporters:\n  debug:\n";

async function join({ server }: TestServer, attributes: Record<string, string>, report: Report = {}) {
  const capabilities = usualCapabilities | AgentCapability.AcceptsRestartCommand;
  const { agent } = await RawWebSocketAgent.join(server.opampUrl, { attributes, capabilities }, report);
  onTestFinished(() => agent.socket.terminate());
  return { agent, id: formatInstanceUid(agent.speaker.uid) };
}

/** Runs a command against a server; `file` is what every path reads. */
async function ctl({ server, clock }: TestServer, command: CtlCommand, args: string[], file = "") {
  const printed: string[] = [];
  const call = parseCtlCall(args, { ...command.options, json: { type: "boolean", help: "" } });
  const context: CtlContext = {
    api: new ApiClient({
      server: server.managementUrl,
      token: undefined,
      ca: undefined,
      cert: undefined,
      key: undefined,
    }),
    json: call.has("json"),
    print: (line) => void printed.push(line),
    warn: (line) => void printed.push(`! ${line}`),
    now: () => clock.now(),
    readFile: async () => Buffer.from(file),
  };
  const code = await command.run(context, call);
  return { code, printed, all: printed.join("\n") };
}

describe("ctl agents", () => {
  it("lists who is there, and how each stands to what it is to run", async () => {
    const online = await startTestServer();
    const web = await join(online, { "host.name": "web-1", "service.version": "0.150.0", env: "prod" });
    const evil = await join(online, { "host.name": "a\u001b[2Jb", env: "dev" });
    await ctl(online, configCommand, ["push", "c.yaml", "--selector", "env=prod"], text);
    const { remoteConfig } = await web.agent.receive();
    const lastRemoteConfigHash = remoteConfig!.configHash;
    await web.agent.exchange({ remoteConfigStatus: { lastRemoteConfigHash, status: 3, errorMessage: "no" } });
    online.clock.advance(65_000);
    const { code, printed } = await ctl(online, agentsCommand, []);
    expect(code).toBe(0);
    expect(printed.map((line) => line.split(/ {2,}/))).toEqual([
      ["AGENT", "HOST", "VERSION", "STATE", "HEALTH", "CONFIG", "LAST OFFER", "SEEN"],
      [web.id, "web-1", "0.150.0", "connected", "healthy", "-", "failed", "1m 5s ago"],
      [evil.id, "a\\x1b[2Jb", "-", "connected", "healthy", "-", "-", "1m 5s ago"],
    ]);
    const selected = await ctl(online, agentsCommand, ["env", "in", "(prod)", "--json"]);
    expect(JSON.parse(selected.all)).toMatchObject({ agents: [{ id: web.id }] });
    expect((await ctl(online, agentsCommand, ["--gone"])).printed).toHaveLength(1);
  });

  it("refuses an empty selector itself, and tells what the server refuses", async () => {
    const online = await startTestServer();
    await expect(ctl(online, agentsCommand, [""])).rejects.toThrow(UsageError);
    await expect(ctl(online, agentsCommand, ["env="])).rejects.toThrow(/Bad selector: .* at character 5/);
  });
});

describe("ctl agent", () => {
  it("shows an agent with the parts of it that are not healthy", async () => {
    const online = await startTestServer();
    const health = {
      healthy: false,
      lastError: "one is down",
      componentHealthMap: {
        "pipeline:logs": { healthy: false, componentHealthMap: { "exporter:otlp": { healthy: false } } },
        "pipeline:traces": { healthy: true },
      },
    };
    const { id } = await join(online, { env: "prod" }, { health });
    const { all } = await ctl(online, agentCommand, [id]);
    expect(all).toMatch(/^Health +UNHEALTHY : one is down$/m);
    expect(all).toContain("pipeline:logs / exporter:otlp: UNHEALTHY");
    expect(all).not.toContain("pipeline:traces");
    expect(all).toMatch(/^Label +env=prod$/m);
    await expect(ctl(online, agentCommand, ["nobody"])).rejects.toThrow(ApiError);
  });
});

describe("ctl config", () => {
  it("pushes a file as it is, and says whom it did not reach", async () => {
    const online = await startTestServer();
    const { agent } = await join(online, { env: "prod" });
    const { printed } = await ctl(online, configCommand, ["push", "f", "--strategy", "immediate"], text);
    expect(printed).toEqual([
      expect.stringMatching(
        `^configuration ${yaml(text).hashHex.slice(0, 12)}, rollout \\S+ \\(immediate\\)$`,
      ),
      "1 of 1 agents have the offer now",
    ]);
    expect(Buffer.from((await agent.receive()).remoteConfig!.config!.configMap[""]!.body).toString()).toBe(
      text,
    );
    await agent.close();
    expect(
      (await ctl(online, configCommand, ["push", "f", "--strategy", "immediate"], "a: 1\n")).all,
    ).toMatch(/is not connected/);
  });

  it.each([
    [["push"]],
    [["push", "f", "--empty"]],
    [["push", "f", "--selector", " "]],
    [["pull"]],
    [[]],
    [["diff", "uid"]],
    [["show"]],
  ])("takes %j for a mistake", async (args) => {
    const online = await startTestServer();
    await expect(ctl(online, configCommand, args, text)).rejects.toThrow(UsageError);
  });

  it("shows what an agent runs, and what a file would change of it", async () => {
    const online = await startTestServer();
    const body = Buffer.from(text);
    const { id } = await join(
      online,
      {},
      { effectiveConfig: { configMap: { configMap: { "": { body } } } } },
    );
    expect((await ctl(online, configCommand, ["show", id])).all).toBe(text.trimEnd());
    const same = await ctl(online, configCommand, ["diff", id, "f", "--exit-code"], text);
    expect(same).toMatchObject({ code: 0, printed: [] });
    const other = text.replace("debug", "kafka");
    const { code, printed } = await ctl(online, configCommand, ["diff", id, "f", "--exit-code"], other);
    expect([code, printed]).toEqual([
      1,
      ["@@ -1,4 +1,4 @@", " receivers:", "   otlp:", " exporters:", "-  debug:", "+  kafka:"],
    ]);
  });
});

describe("ctl restart", () => {
  it("restarts the agents of a selector, and nobody without one", async () => {
    const online = await startTestServer();
    const { agent } = await join(online, { env: "prod" });
    await expect(ctl(online, restartCommand, [])).rejects.toThrow(UsageError);
    await expect(ctl(online, restartCommand, ["env=prod", "--all"])).rejects.toThrow(UsageError);
    const { all } = await ctl(online, restartCommand, ["env=prod"]);
    expect(all).toMatch(/^1 of 1 agents restart/);
    expect((await agent.receive()).command).toBeDefined();
  });
});

describe("ctl groups", () => {
  it("makes, lists and ends groups", async () => {
    const online = await startTestServer();
    await ctl(online, groupsCommand, ["put", "prod", "env=prod,", "gpu", "--priority", "7"]);
    expect((await ctl(online, groupsCommand, [])).printed[1]).toMatch(/^prod +7 +env=prod,gpu$/);
    await expect(ctl(online, groupsCommand, ["put", "prod", "x", "--priority", "a"])).rejects.toThrow(
      /priority/,
    );
    await ctl(online, groupsCommand, ["delete", "prod"]);
    expect((await ctl(online, groupsCommand, [])).printed).toHaveLength(1);
  });
});

describe("ctl label", () => {
  it("gives labels and takes them away", async () => {
    const online = await startTestServer();
    const { id } = await join(online, { env: "prod" });
    await ctl(online, labelCommand, [id, "team=a=b", "site=x"]);
    expect((await ctl(online, labelCommand, [id, "site-"])).printed).toEqual(["team=a=b"]);
    expect((await ctl(online, labelCommand, [id])).printed).toEqual(["team=a=b"]);
    await expect(ctl(online, labelCommand, [id, "env=dev"])).rejects.toThrow(/the agent itself says env/);
    await expect(ctl(online, labelCommand, [id, "team"])).rejects.toThrow(UsageError);
  });
});

describe("ctl packages", () => {
  it("lists what can be offered, and offers it", async () => {
    const online = await startPackageServer({
      "collector/0.150.0/otelcol": "two",
      "odd/1/a": "",
      "odd/1/b": "",
    });
    const { printed } = await ctl(online, packagesCommand, []);
    expect(printed[1]).toMatch(/^collector +0\.150\.0 +top-level +otelcol +3 /);
    expect(printed[2]).toMatch(/^! left out: .*odd\/1: expected one file/);
    const offered = await ctl(online, packagesCommand, ["offer", "collector:0.150.0"]);
    expect(offered.all).toMatch(/^0 of 0 agents have the offer now$/m);
    await expect(ctl(online, packagesCommand, ["offer", "collector"])).rejects.toThrow(UsageError);
  });
});
