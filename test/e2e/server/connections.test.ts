import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { freePorts } from "../../support/free-port.ts";
import { fetchJson } from "../../support/raw-agent.ts";
import { ServerProcess, settingsFile } from "../../support/server-process.ts";
import { supervisorHost } from "../../support/supervisor-host.ts";
import { tempDir } from "../../support/temp-dir.ts";

const token = "t0p-secret-of-own-telemetry";

describe("offers of connections", { timeout: 90_000 }, () => {
  it("SN1 SN5: own telemetry reaches a supervisor with its secret, and its status is seen", async () => {
    const seen = new Set<string | undefined>();
    const backend = createServer((request, response) => {
      seen.add(request.headers.authorization);
      request.resume();
      response.writeHead(200, { "content-type": "application/x-protobuf" }).end();
    }).listen(0, "127.0.0.1");
    await once(backend, "listening");
    onTestFinished(() => backend.close().closeAllConnections());
    const ports = await freePorts("opamp", "management");
    const settings = await settingsFile(
      JSON.stringify({
        opamp: { endpoint: `127.0.0.1:${ports.opamp}` },
        management: { endpoint: `127.0.0.1:${ports.management}` },
        storage: { directory: tempDir() },
        secrets: { own: { file: await settingsFile(token) } },
      }),
    );
    const server = new ServerProcess("--config", settings);
    const { management } = await server.urls();
    const agents = async () =>
      (await fetchJson<{ agents: AgentView[] }>(new URL("/api/v1/agents", management))).json.agents;
    const host = await supervisorHost({
      server: "down",
      settings: { server: { endpoint: `ws://127.0.0.1:${ports.opamp}/v1/opamp` } },
      capabilities: { reports_own_metrics: true, reports_connection_settings_status: true },
      secrets: [token],
    });
    await host.start();
    await eventually("the host is there", async () => (await agents()).length === 1, 30_000);

    const offer = async (value: string) => {
      const endpoint = `http://127.0.0.1:${(backend.address() as AddressInfo).port}/v1/metrics`;
      const own_metrics = { destination_endpoint: endpoint, headers: { Authorization: value } };
      const body = JSON.stringify({ settings: { own_metrics }, strategy: "immediate" });
      const url = new URL("/api/v1/connections", management);
      return await fetchJson<Offered>(url, { method: "POST", body });
    };
    expect((await offer(`Bearer ${token}`)).status).toBe(400);
    const { json, status } = await offer(`Bearer \${secret:own}`);
    expect([status, json.detail]).toEqual([200, undefined]);
    const agent = await eventually("it is applied", async () => {
      const [found] = await agents();
      if (found?.connection_settings_status?.status === "APPLIED") return found;
      throw new Error(JSON.stringify(found?.connection_settings_status));
    });
    expect(agent.connection_settings_status?.hash).toBe(json.connections_hash);
    expect(seen).toEqual(new Set([`Bearer ${token}`]));
    expect(await host.readState("effective.yaml")).toContain(token);
    expect(server.output + server.errors).not.toContain(token);
  });
});

interface Offered {
  detail?: string;
  connections_hash: string;
}

interface AgentView {
  connection_settings_status: { status: string; hash: string } | null;
}
