import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { fetchJson } from "../../support/raw-agent.ts";
import { ServerProcess, settingsFile } from "../../support/server-process.ts";
import { supervisorHost } from "../../support/supervisor-host.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { TestAuthority } from "../../support/test-authority.ts";

interface Certificates {
  certificates: { serial: string; state: string; instance_uid: string; revoke_reason: string | null }[];
  renewals: { issued: number; succeeded: number; success_rate: number };
}

/** A server that issues certificates and lets nobody in without a credential, and a host that has its enrolment key. */
async function enrolledHost({ certificates = "", uses = 1 } = {}) {
  const dir = tempDir();
  const listenerAuthority = await TestAuthority.create("Servers");
  const { cert, key } = await listenerAuthority.issue({ name: "server" });
  writeFileSync(join(dir, "server.crt"), cert);
  writeFileSync(join(dir, "server.key"), key);
  const settings = `
opamp:
  endpoint: 127.0.0.1:0
  tls: { cert_file: ${dir}/server.crt, key_file: ${dir}/server.key }
management: { endpoint: "127.0.0.1:0" }
rollouts: { default_strategy: immediate }
storage: { directory: ${dir}/state }
access: { agents: { required: true } }
certificates:
  authority: { generate: true }
${certificates}
`;
  const server = new ServerProcess("--config", await settingsFile(settings));
  const { opamp, management } = await server.urls();
  const post = async <T>(path: string, body: object) => {
    const url = new URL(path, management);
    return (await fetchJson<T>(url, { method: "POST", body: JSON.stringify(body) })).json;
  };
  const { secret } = await post<{ secret: string }>("/api/v1/tokens", { name: "enrol", role: "agent", uses });
  const host = await supervisorHost({
    capabilities: { accepts_opamp_connection_settings: true },
    server: "down",
    secrets: [secret],
  });
  const connection = {
    endpoint: opamp.href,
    headers: { Authorization: `Bearer ${secret}` },
    tls: { ca_pem: listenerAuthority.cert },
    certificate: { request: true },
  };
  await host.writeSettings({}, {}, { server: connection });
  const list = async () => (await fetchJson<Certificates>(new URL("/api/v1/certificates", management))).json;
  const connected = async () => {
    const url = new URL("/api/v1/agents", management);
    const { json } = await fetchJson<{ agents: { connected: boolean }[] }>(url);
    return json.agents.length === 1 && json.agents[0]?.connected === true;
  };
  const push = (pipeline: object) => post("/api/v1/config", pipeline);
  return { server, host, management, post, push, list, connected };
}

describe("opamp-server as the authority of a host", () => {
  it("AN19 SN8 issues a certificate to one that came by an enrolment key, which then needs no key", async () => {
    const { host, list, push } = await enrolledHost();
    const supervisor = await host.start();
    await supervisor.waitFor("certificate_renewed", { timeoutMs: 40_000 });
    const certificates = await eventually("a certificate in use", async () => {
      const found = (await list()).certificates;
      return found[0]?.state === "active" && found;
    });
    expect(certificates).toHaveLength(1);
    expect(certificates[0]?.instance_uid).toMatch(/^[0-9a-f-]{36}$/);
    expect(await list()).toMatchObject({ renewals: { issued: 1, succeeded: 1, success_rate: 1 } });
    // The one use of the enrolment key is gone: only the certificate opens the door now.
    const next = await host.restart();
    await next.waitFor("connected_to_server");
    await push(host.pipeline());
    await host.expectDataFlows();
    expect((await list()).certificates).toHaveLength(1);
  });

  it("SN10 cuts the live connection of a revoked certificate, and lets it in no more", async () => {
    const { server, host, list, post, connected } = await enrolledHost();
    const supervisor = await host.start();
    await supervisor.waitFor("certificate_renewed", { timeoutMs: 40_000 });
    const serial = await eventually("a certificate in use", async () => {
      const [found] = (await list()).certificates;
      return found?.state === "active" && found.serial;
    });
    expect(await connected()).toBe(true);
    await post(`/api/v1/certificates/${serial}/revoke`, { reason: "stolen" });
    await eventually("disconnected", async () => !(await connected()));
    await supervisor.waitFor("server_connection_failed");
    expect(await connected()).toBe(false);
    expect((await list()).certificates[0]).toMatchObject({ state: "revoked", revoke_reason: "stolen" });
    expect(server.lines.filter(({ event }) => event === "certificate_issued")).toHaveLength(1);
  });

  it("AN21 SN4 renews one in time, and the one before counts no longer once the new one is used", async () => {
    const { host, list, connected } = await enrolledHost({ certificates: "  lifetime: 20s" });
    const supervisor = await host.start();
    await supervisor.waitFor("certificate_renewed", { timeoutMs: 40_000 });
    await eventually(
      "a successor in use",
      async () => {
        const { certificates } = await list();
        return certificates.some(({ revoke_reason }) => revoke_reason?.startsWith("replaced by "));
      },
      40_000,
    );
    await eventually("connected", connected);
  });

  it("SN9 waits for a person where the settings say so", async () => {
    const { host, post, management, list } = await enrolledHost({ certificates: "  approval: manual" });
    const supervisor = await host.start();
    const [request] = await eventually(
      "a request",
      async () => {
        const url = new URL("/api/v1/certificates/requests", management);
        const { requests } = (await fetchJson<{ requests: { id: string }[] }>(url)).json;
        return requests.length > 0 && requests;
      },
      20_000,
    );
    expect((await list()).certificates).toEqual([]);
    await post(`/api/v1/certificates/requests/${request?.id}/approve`, { reason: "known host" });
    await supervisor.waitFor("certificate_renewed", { timeoutMs: 40_000 });
    await eventually("in use", async () => (await list()).certificates[0]?.state === "active");
  });
});
