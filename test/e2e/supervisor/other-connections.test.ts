import { readFileSync } from "node:fs";
import { expect, it, onTestFinished } from "vitest";
import { verdictOn } from "../../support/connection-offers.ts";
import { OtlpReceiver } from "../../support/otlp-receiver.ts";
import { startRelay } from "../../support/otlp-relay.ts";
import { remoteConfig, type ServerSays } from "../../support/recording-opamp-server.ts";
import { operate } from "../../support/run-command.ts";
import { type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";
import { TestAuthority } from "../../support/test-authority.ts";

type Offers = NonNullable<ServerSays["connectionSettings"]>;
type Others = NonNullable<Offers["otherConnections"]>;

const refer = (path: string) => `\${opamp:connections.backend.${path}}`;

async function offer(host: SupervisorHost, number: number, otherConnections: Others): Promise<string> {
  const from = host.server.mark;
  host.server.push({ connectionSettings: { hash: new Uint8Array([number]), otherConnections } });
  return await verdictOn(host.server, number, from);
}

it("are what a local file refers to: TLS with a client certificate to a real Collector (AN17)", async () => {
  const authority = await TestAuthority.create();
  const client = await authority.issue();
  const receiver = await OtlpReceiver.start();
  onTestFinished(() => receiver[Symbol.asyncDispose]());
  const tls = { ...(await authority.issue()), clientCa: authority.cert };
  const { http } = await startRelay(receiver, { tls });
  const host = await supervisorHost({
    capabilities: { accepts_other_connection_settings: true },
    configFiles: { "local.yaml": "{}" },
    secrets: ["t0p-header", "t0p-setting", client.key],
  });
  const pipeline = host.pipeline();
  host.writeConfigFile("local.yaml", {
    ...pipeline,
    exporters: {
      otlphttp: {
        endpoint: `\${opamp:connections.backend.endpoint:-http://127.0.0.1:1}`,
        headers: { tenant: refer("headers.x-tenant"), plain: refer("settings.api_key") },
        tls: refer("tls"),
        compression: "none",
      },
    },
  });
  await host.start();
  const bytes = (text: string) => new TextEncoder().encode(text);
  const backend = {
    destinationEndpoint: `https://127.0.0.1:${http}`,
    headers: { headers: [{ key: "x-tenant", value: "t0p-header" }] },
    otherSettings: { api_key: "t0p-setting", "retry.max": "$5" },
    tls: { caPemContents: authority.cert },
    certificate: { cert: bytes(client.cert), privateKey: bytes(client.key) },
  };
  await host.server.until("the first message", () => host.server.received.length > 0);
  expect(await offer(host, 1, { backend })).toBe("");
  const effective = () => readFileSync(`${host.stateDir}/effective.yaml`, "utf8");
  expect(effective()).toContain("t0p-setting");
  const sender = host.send();
  await sender.accepted();
  await receiver.waitFor(receiver.logs, ({ attributes }) => attributes.number !== undefined);
  await sender.stop();
  const status = JSON.parse((await operate(host, "status", "--json")).stdout) as { certificates: unknown };
  expect(status.certificates).toMatchObject([{ use: "other_connections.backend" }]);
  // Only what an offer sets changes.
  expect(await offer(host, 2, { backend: { otherSettings: { api_key: "t0p-setting-2" } } })).toBe("");
  expect(effective()).toContain("t0p-setting-2");
  expect(effective()).toContain("t0p-header");
  expect(effective()).toContain(`https://127.0.0.1:${http}`);
  expect(await offer(host, 3, { backend: { destinationEndpoint: "http://127.0.0.1:1" } })).toBe(
    'other connection "backend": it would lead from TLS to plain text',
  );
  expect(await offer(host, 4, { backend: { tls: { insecureSkipVerify: true } } })).toMatch(/verification/);
  // What breaks the Collector takes the way back, and the server is told of this offer, and of no configuration.
  const from = host.server.mark;
  expect(
    await offer(host, 5, {
      backend: { tls: { caPemContents: authority.cert, minVersion: "1.3", maxVersion: "1.2" } },
    }),
  ).toMatch(/the Collector refuses it/);
  expect(
    host.server.received.slice(from).some(({ message }) => message.remoteConfigStatus !== undefined),
  ).toBe(false);
  expect(effective()).toContain("t0p-setting-2");
  await host.restart("SIGTERM");
  expect(effective()).toContain("t0p-setting-2");
});

it("are there for the remote configuration that came in the same message", async () => {
  const host = await supervisorHost({ capabilities: { accepts_other_connection_settings: true } });
  await host.start();
  await host.server.until("the first message", () => host.server.received.length > 0);
  const from = host.server.mark;
  const exporters = { otlphttp: { endpoint: refer("endpoint"), headers: refer("headers") } };
  const config = remoteConfig({ "": { ...host.pipeline(), exporters } });
  const backend = {
    destinationEndpoint: "https://127.0.0.1:1",
    headers: { headers: [{ key: "x-tenant", value: "one" }] },
  };
  host.server.push({
    remoteConfig: config,
    connectionSettings: { hash: new Uint8Array([1]), otherConnections: { backend } },
  });
  expect(await host.server.verdict(config, from)).toMatchObject({ errorMessage: "" });
});

it("that a remote configuration came before are waited for, and it is tried again with them", async () => {
  const host = await supervisorHost({ capabilities: { accepts_other_connection_settings: true } });
  await host.start();
  await host.server.until("the first message", () => host.server.received.length > 0);
  const exporters = { otlphttp: { endpoint: refer("endpoint") } };
  const config = remoteConfig({ "": { ...host.pipeline(), exporters } });
  host.server.offer(config);
  expect(await host.server.verdict(config)).toMatchObject({
    errorMessage: "it refers to connections that were not offered: backend.endpoint",
  });
  const from = host.server.mark;
  expect(await offer(host, 1, { backend: { destinationEndpoint: "https://127.0.0.1:1" } })).toBe("");
  await host.server.until("it is applied", () => host.server.statusesOf(config, from).at(-1) === "APPLIED");
});
