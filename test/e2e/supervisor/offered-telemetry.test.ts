import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { statusesOf, verdictOn } from "../../support/connection-offers.ts";
import { freePort } from "../../support/free-port.ts";
import { OtlpReceiver } from "../../support/otlp-receiver.ts";
import { startRelay } from "../../support/otlp-relay.ts";
import type { ServerSays } from "../../support/recording-opamp-server.ts";
import { type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";
import { type Credentials, TestAuthority } from "../../support/test-authority.ts";

type Offers = NonNullable<ServerSays["connectionSettings"]>;
type Signal = Extract<NonNullable<Offers["ownMetrics"]>, { readonly $typeName?: never }>;

const able = {
  capabilities: {
    reports_own_logs: true,
    reports_own_traces: true,
    reports_connection_settings_status: true,
  },
};

async function startReceiver(): Promise<OtlpReceiver> {
  const receiver = await OtlpReceiver.start();
  onTestFinished(() => receiver[Symbol.asyncDispose]());
  return receiver;
}

/** A backend that only lets in who has a certificate of its authority, and such a certificate. */
async function secureBackend() {
  const authority = await TestAuthority.create();
  const receiver = await startReceiver();
  const tls = { ...(await authority.issue()), clientCa: authority.cert };
  const { http } = await startRelay(receiver, { tls });
  return { authority, receiver, client: await authority.issue({ name: "agent" }), port: http };
}

function secured(url: string, ca: string, client?: Credentials): Signal {
  const bytes = (text: string) => new TextEncoder().encode(text);
  return {
    destinationEndpoint: url,
    tls: { caPemContents: ca },
    ...(client && { certificate: { cert: bytes(client.cert), privateKey: bytes(client.key) } }),
  };
}

async function offer(host: SupervisorHost, number: number, offers: Offers): Promise<string> {
  const from = host.server.mark;
  host.server.push({ connectionSettings: { ...offers, hash: new Uint8Array([number]) } });
  return await verdictOn(host.server, number, from);
}

/** The files of certificates and keys in the state directory, with their permissions. */
function pems(host: SupervisorHost): { name: string; mode: string }[] {
  const directory = join(host.stateDir, "configurations");
  return readdirSync(directory)
    .filter((name) => name.endsWith(".pem"))
    .map((name) => ({ name, mode: (statSync(join(directory, name)).mode & 0o777).toString(8) }));
}

describe("offered own telemetry", () => {
  it("goes over TLS with a client certificate to a real Collector, metrics and logs (AN15, AN16, AN18)", async () => {
    const { authority, receiver, client, port } = await secureBackend();
    const host = await supervisorHost({ ...able, secrets: [client.key, "t0p-telemetry"] });
    await host.startHealthy();
    const telemetry = { metrics: { level: "basic" } };
    await host.apply(host.remotePipeline({ telemetry }));
    const headers = { headers: [{ key: "X-Tenant", value: "t0p-telemetry" }] };
    const signal = (path: string) => ({
      ...secured(`https://127.0.0.1:${port}/v1/${path}`, authority.cert, client),
      headers,
    });
    expect(await offer(host, 1, { ownMetrics: signal("metrics"), ownLogs: signal("logs") })).toBe("");
    expect(statusesOf(host.server, 1)).toEqual(["APPLYING", "APPLIED"]);
    await receiver.waitFor(receiver.logs, ({ body }) => String(body).includes("Everything is ready"));
    await receiver.waitFor(receiver.points, ({ name }) => name.startsWith("otelcol_process_"));
    // The supervisor's own go to the same place.
    const own = await receiver.waitFor(
      receiver.points,
      ({ name }) => name === "opamp_agent_connection_status",
    );
    expect(own.resource).toMatchObject({ "service.name": "opamp-supervisor" });
    await receiver.waitFor(receiver.logs, ({ attributes }) => attributes.event === "config_updated");
    await host.expectDataFlows();
    expect(pems(host)).toHaveLength(3);
    for (const { mode } of pems(host)) expect(mode).toBe("600");
    // What is no longer named is removed, once it is not the way back any more.
    expect(
      await offer(host, 2, { ownMetrics: { destinationEndpoint: "" }, ownLogs: { destinationEndpoint: "" } }),
    ).toBe("");
    await host.apply(host.remotePipeline({ statements: ['set(log.attributes["a"], 1)'] }));
    await host.apply(host.remotePipeline({ statements: ['set(log.attributes["a"], 2)'] }));
    await host.apply(host.remotePipeline({ statements: ['set(log.attributes["a"], 3)'] }));
    expect(pems(host)).toEqual([]);
  });

  it.each([
    [
      "another authority",
      async () => (await TestAuthority.create("Other CA")).cert,
      true,
      /own metrics: its endpoint cannot be used: .*certificate/i,
    ],
    ["no client certificate", undefined, false, /own metrics: its endpoint cannot be used: /],
  ] as const)("is refused with %s; what was in use goes on", async (_what, otherCa, withClient, reason) => {
    const { authority, receiver, client, port } = await secureBackend();
    const host = await supervisorHost(able);
    await host.startHealthy();
    const config = await host.apply(host.remotePipeline());
    const logs = secured(`https://127.0.0.1:${port}/v1/logs`, authority.cert, client);
    expect(await offer(host, 1, { ownLogs: logs })).toBe("");
    await receiver.waitFor(receiver.logs, ({ body }) => String(body).includes("Everything is ready"));
    const pid = await host.onlyCollector();
    const ca = otherCa === undefined ? authority.cert : await otherCa();
    const from = host.server.mark;
    const ownMetrics = secured(`https://127.0.0.1:${port}/v1/metrics`, ca, withClient ? client : undefined);
    expect(await offer(host, 2, { ownMetrics })).toMatch(reason);
    expect(statusesOf(host.server, 2, from)).toEqual(["APPLYING", "FAILED"]);
    expect(
      host.server.received.slice(from).some(({ message }) => message.remoteConfigStatus !== undefined),
    ).toBe(false);
    expect(host.server.statusesOf(config)).toEqual(["APPLYING", "APPLIED"]);
    expect(await host.onlyCollector()).toBe(pid);
    expect(host.server.effectiveText).toContain("/v1/logs");
    expect(host.server.effectiveText).not.toContain(`:${port}/v1/metrics`);
  });

  it("is refused where nobody listens, and tried again; a signal that is not offered stays (AN2)", async () => {
    const host = await supervisorHost(able);
    await host.startHealthy();
    await host.apply(host.remotePipeline());
    const endpoint = host.sink.endpoint;
    expect(await offer(host, 1, { ownLogs: { destinationEndpoint: `${endpoint}/v1/logs` } })).toBe("");
    const nobody = `http://127.0.0.1:${await freePort()}/v1/traces`;
    expect(await offer(host, 2, { ownTraces: { destinationEndpoint: nobody } })).toMatch(
      /own traces: its endpoint cannot be reached: .*ECONNREFUSED/,
    );
    expect(await offer(host, 3, { ownTraces: { destinationEndpoint: `${endpoint}/v1/traces` } })).toBe("");
    await host.server.until("both", () =>
      ["/v1/logs", "/v1/traces"].every((path) => host.server.effectiveText.includes(path)),
    );
  });

  it("survives a restart, and one whose files are gone", async () => {
    const { authority, receiver, client, port } = await secureBackend();
    const host = await supervisorHost(able);
    await host.startHealthy();
    await host.apply(host.remotePipeline());
    const logs = secured(`https://127.0.0.1:${port}/v1/logs`, authority.cert, client);
    expect(await offer(host, 1, { ownLogs: logs })).toBe("");
    await host.kill("SIGTERM");
    for (const { name } of pems(host)) rmSync(join(host.stateDir, "configurations", name));
    const before = receiver.logs.length;
    await host.startHealthy();
    await receiver.waitFor(
      receiver.logs,
      (line) => receiver.logs.indexOf(line) >= before && String(line.body).includes("Everything is ready"),
    );
    expect(pems(host)).toHaveLength(3);
  });
});
