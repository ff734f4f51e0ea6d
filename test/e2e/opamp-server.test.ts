import { once } from "node:events";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { RemoteConfigStatuses } from "../../src/opamp/messages.ts";
import { fetchJson, RawHttpAgent, RawWebSocketAgent } from "../support/raw-agent.ts";
import { onFreePorts, ServerProcess, settingsFile } from "../support/server-process.ts";
import { TestAuthority } from "../support/test-authority.ts";

/** A client learns it as an alert or, when it was still writing, as a broken connection. */
const refused = /alert|hang up|ECONNRESET|EPIPE/;

const text = "receivers:\n  otlp:\n";

describe("opamp-server", () => {
  it("takes a fleet of both transports from a push to its statuses, and logs it", async () => {
    const server = new ServerProcess("--config", await settingsFile(onFreePorts));
    const { opamp, management } = await server.urls();
    const { agent } = await RawWebSocketAgent.join(opamp, {
      attributes: { env: "prod", "service.version": "9" },
    });
    onTestFinished(() => agent.socket.terminate());
    const polling = new RawHttpAgent(opamp, { attributes: { env: "dev" } });
    await polling.exchange(polling.speaker.full({}));

    const push = await fetchJson<{ config_hash: string; matched: number; offered: number }>(
      new URL("/api/v1/config", management),
      { method: "POST", body: text, headers: { "content-type": "application/x-www-form-urlencoded" } },
    );
    expect(push.json).toMatchObject({ matched: 2, offered: 1 });
    const { remoteConfig: pushed } = await agent.receive();
    const { remoteConfig: polled } = await polling.exchange({});
    expect(pushed).toEqual(polled);
    const lastRemoteConfigHash = pushed!.configHash;
    await agent.exchange({
      remoteConfigStatus: { lastRemoteConfigHash, status: RemoteConfigStatuses.RemoteConfigStatuses_APPLIED },
    });
    await polling.exchange({
      remoteConfigStatus: {
        lastRemoteConfigHash,
        status: RemoteConfigStatuses.RemoteConfigStatuses_FAILED,
        errorMessage: "no such receiver",
      },
    });

    const { json } = await fetchJson<{ agents: Record<string, unknown>[] }>(
      new URL("/api/v1/agents", management),
    );
    expect(json.agents).toMatchObject([
      {
        transport: "websocket",
        config_hash: push.json.config_hash,
        desired_config_hash: push.json.config_hash,
      },
      {
        transport: "http",
        config_hash: null,
        remote_config_status: { status: "FAILED", hash: push.json.config_hash, error: "no such receiver" },
      },
    ]);
    // The rollout that a push is goes on by its own clock.
    const events = server.lines.map(({ event }) => event).filter((event) => event !== "rollout");
    expect(events).toEqual([
      "storage_in_memory",
      "management_open",
      "listening",
      "agent_connected",
      "agent_connected",
      "config_offered",
      "config_pushed",
      "config_offered",
      "config_status",
      "config_status",
    ]);
    expect(server.lines.find(({ event }) => event === "agent_connected")).toMatchObject({
      component: "opamp-server",
      level: "info",
      agent_version: "9",
    });
  });

  it.each(["SIGTERM", "SIGINT"] as const)(
    "on %s closes Agents with 1001 and exits 0 (SW4)",
    async (signal) => {
      const server = new ServerProcess("--config", await settingsFile(onFreePorts));
      const { opamp } = await server.urls();
      const { agent } = await RawWebSocketAgent.join(opamp);
      server.child.kill(signal);
      expect((await agent.closed).code).toBe(1001);
      expect(await server.exited).toBe(0);
      expect(server.lines.at(-1)?.event).toBe("stopped");
    },
  );

  it("exits in seconds although an Agent does not answer the close", async () => {
    const server = new ServerProcess("--config", await settingsFile(onFreePorts));
    const { opamp } = await server.urls();
    const { agent } = await RawWebSocketAgent.join(opamp);
    agent.socket.pause();
    onTestFinished(() => agent.socket.terminate());
    server.child.kill("SIGTERM");
    expect(await server.exited).toBe(0);
  });

  it("asks Agents for certificates without asking operators", async () => {
    const authority = await TestAuthority.create("test");
    const [own, agents] = await Promise.all([
      authority.issue({ name: "server" }),
      authority.issue({ name: "agent" }),
    ]);
    const pem = (content: string) => `|\n${content.replaceAll(/^/gm, "      ")}`;
    const tls = `  tls:\n    cert_pem: ${pem(own.cert)}\n    key_pem: ${pem(own.key)}\n`;
    const server = new ServerProcess(
      "--config",
      await settingsFile(
        `opamp:\n  endpoint: 127.0.0.1:0\n${tls}    client_ca_pem: ${pem(authority.cert)}\nmanagement:\n  endpoint: 127.0.0.1:0\n${tls}`,
      ),
    );
    const { opamp, management } = await server.urls();
    const trust = { ca: authority.cert };
    await expect(RawWebSocketAgent.connect(opamp, { tls: trust })).rejects.toThrow(refused);
    const { agent } = await RawWebSocketAgent.join(opamp, { tls: { ...trust, ...agents } });
    onTestFinished(() => agent.socket.terminate());
    expect((await fetchJson(new URL("/ready", management), trust)).status).toBe(200);
  });

  it("names a port that is in use, and exits 1", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    onTestFinished(() => void other.close());
    const { port } = other.address() as { port: number };
    const server = new ServerProcess(
      "--config",
      await settingsFile(`opamp: {endpoint: "127.0.0.1:0"}\nmanagement: {endpoint: "127.0.0.1:${port}"}\n`),
    );
    expect(await server.exited).toBe(1);
    expect(server.errors).toContain(`port ${port} on 127.0.0.1 is in use`);
    expect(server.errors).toContain("management.endpoint");
  });
});

describe("opamp-server without a run", () => {
  let missing: string;

  beforeAll(() => {
    missing = join(tmpdir(), "opamp-server-is-not-here.yaml");
  });

  it("validates a good file", async () => {
    const path = await settingsFile(onFreePorts);
    const server = new ServerProcess("validate", "--config", path);
    expect(await server.exited).toBe(0);
    expect(server.output).toBe(`${path}: valid\n`);
  });

  it("validates the certificates a file names", async () => {
    const path = await settingsFile("opamp:\n  tls: {cert_file: /none.crt, key_file: /none.key}\n");
    const server = new ServerProcess("validate", "--config", path);
    expect(await server.exited).toBe(2);
    expect(server.errors).toContain("opamp.tls.cert_file: cannot read /none.crt");
  });

  it("shows a bad file's line, validating or running", async () => {
    const path = await settingsFile("opamp:\n  prt: 1\n");
    for (const args of [
      ["validate", "--config", path],
      ["--config", path],
    ]) {
      const server = new ServerProcess(...args);
      expect(await server.exited).toBe(2);
      expect(server.errors).toContain(`${path}:2:3: opamp.prt: unknown key`);
    }
  });

  it.each([
    ["a file that is not there", ["--config", "MISSING"], "cannot read"],
    ["an unknown option", ["--prot", "1"], "--prot"],
    ["an unknown command", ["serve"], 'unknown command "serve"'],
    ["a bad level", ["--log-level", "loud"], "expected one of"],
    ["validate without a file", ["validate"], "--config FILE"],
  ])("exits 2 for %s", async (_, args, message) => {
    const server = new ServerProcess(...args.map((each) => (each === "MISSING" ? missing : each)));
    expect(await server.exited).toBe(2);
    expect(server.errors).toContain(message);
    expect(server.output).toBe("");
  });

  it("prints help and version", async () => {
    const help = new ServerProcess("--help");
    const version = new ServerProcess("--version");
    expect([await help.exited, await version.exited]).toEqual([0, 0]);
    expect(help.output).toContain("Exit codes:");
    expect(version.output).toMatch(/^opamp-server \d/);
  });
});
