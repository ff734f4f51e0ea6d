import { expect, it } from "vitest";
import { RemoteConfigStatuses } from "../../../src/opamp/messages.ts";
import { remoteConfig } from "../../support/recording-opamp-server.ts";
import { supervisorHost } from "../../support/supervisor-host.ts";

const { RemoteConfigStatuses_FAILED: failed } = RemoteConfigStatuses;

it("AC9 an address that a configuration leaves out is refused like one that it names", async () => {
  const host = await supervisorHost();
  await host.writeSettings({ restrictions: { listen_addresses: [`127.0.0.1:${host.ports.otlp}`] } });
  await host.startHealthy();
  const allowed = host.pipeline();
  await host.apply(remoteConfig({ "": allowed }));
  const cases = [
    { config: { ...allowed, receivers: { otlp: { protocols: { grpc: null } } } }, address: "localhost:4317" },
    { config: { ...allowed, receivers: { otlp: { protocols: { http: null } } } }, address: "localhost:4318" },
    { config: { ...allowed, extensions: { health_check: null } }, address: "localhost:13133" },
    { config: host.pipeline({ telemetry: { metrics: null } }), address: "localhost:8888" },
  ];
  for (const { config, address } of cases) {
    const offer = remoteConfig({ "": config });
    const from = host.server.mark;
    host.server.offer(offer);
    expect(await host.server.verdict(offer, from)).toMatchObject({
      status: failed,
      errorMessage: expect.stringContaining(`listening on "${address}" is not allowed`),
    });
  }
  await host.expectDataFlows();
});

it("a secret that the Collector quotes in small letters is not told", async () => {
  const secret = "zqOtherMixed88";
  const host = await supervisorHost({
    agent: { env: { AGS2: secret } },
    secrets: [secret, secret.toLowerCase()],
  });
  await host.startHealthy();
  const offer = remoteConfig({ "": host.pipeline({ telemetry: { metrics: { level: `$\{env:AGS2}` } } }) });
  host.server.offer(offer);
  expect(await host.server.verdict(offer)).toMatchObject({
    status: failed,
    errorMessage: expect.stringContaining("[REDACTED]"),
  });
});
