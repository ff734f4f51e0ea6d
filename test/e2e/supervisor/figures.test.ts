import { expect, it } from "vitest";
import { decodeFigures, type Figures, figuresCapability } from "../../../src/opamp/figures.ts";
import { freePort } from "../../support/free-port.ts";
import type { RecordingOpampServer } from "../../support/recording-opamp-server.ts";
import { remoteConfig } from "../../support/recording-opamp-server.ts";
import { supervisorHost } from "../../support/supervisor-host.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

function figuresIn(server: RecordingOpampServer, from = 0): Figures[] {
  return server.received.slice(from).flatMap(({ message: { customMessage } }) => {
    const figures =
      customMessage?.capability === figuresCapability ? decodeFigures(customMessage) : undefined;
    return figures ?? [];
  });
}

function told(server: RecordingOpampServer, what: string, match: (figures: Figures) => boolean, from = 0) {
  return server.until(what, () => figuresIn(server, from).find(match));
}

const often = { agent: { figures: { interval: "200ms" } }, customCapabilities: [figuresCapability] };

it("say what really runs, what was refused and why, and how the Collector fares", async () => {
  const host = await supervisorHost(often);
  await host.startHealthy();
  const readers = [{ pull: { exporter: { prometheus: { host: "127.0.0.1", port: await freePort() } } } }];
  const telemetry = { metrics: { level: "basic", readers } };
  const good = await host.apply(host.remotePipeline({ telemetry }));
  await host.expectDataFlows();
  const running = await told(
    host.server,
    "data in the figures",
    ({ telemetry: t }) => (t?.logs?.sent ?? 0) > 0,
  );
  expect(running.configuration).toMatchObject({
    remote_hash: hex(good.configHash),
    role: "desired",
    on_probation: true,
    refused: null,
    quarantined: [],
  });
  expect(running.process?.rss_bytes).toBeGreaterThan(1_000_000);
  expect(running.process?.cpu_seconds).toBeGreaterThan(0);
  expect(running.telemetry?.logs?.accepted).toBeGreaterThan(0);
  expect(running.telemetry?.queue?.capacity).toBeGreaterThan(0);

  const bad = remoteConfig({ "": { ...host.pipeline({ telemetry }), receivers: { nosuch: {} } } });
  host.server.offer(bad);
  await host.server.verdict(bad);
  const refusing = await told(host.server, "the refused one", ({ configuration: c }) => c.refused !== null);
  expect(refusing.configuration).toMatchObject({
    remote_hash: hex(good.configHash),
    content_hash: running.configuration.content_hash,
    refused: { hash: hex(bad.configHash), reason: expect.stringContaining("nosuch") as string },
    quarantined: [{ hash: hex(bad.configHash) }],
  });
  expect(refusing.process?.id).toBe(running.process?.id);

  process.kill(await host.onlyCollector(), "SIGKILL");
  const restarted = await told(
    host.server,
    "the restart",
    (f) => f.since_supervisor.restarts.signal === 1 && f.process !== undefined,
  );
  expect(restarted.process?.id).not.toBe(running.process?.id);
  expect(restarted.since_supervisor.id).toBe(running.since_supervisor.id);
});

it("are not told to a server that does not announce them, and nothing is done for them", async () => {
  const host = await supervisorHost({ ...often, customCapabilities: ["another"] });
  await host.startHealthy();
  await host.apply(host.remotePipeline());
  await host.apply(host.remotePipeline({ statements: ['set(log.attributes["a"], 1)'] }));
  expect(host.server.received.some(({ message }) => message.customMessage !== undefined)).toBe(false);
});
