import { readFileSync } from "node:fs";
import { describe, expect, it, onTestFinished } from "vitest";
import { freePort } from "../../support/free-port.ts";
import type { LogLine } from "../../support/launched-process.ts";
import { OtlpReceiver } from "../../support/otlp-receiver.ts";
import { startRelay } from "../../support/otlp-relay.ts";
import { fetchBytes } from "../../support/raw-agent.ts";
import { supervisorHost } from "../../support/supervisor-host.ts";

async function startReceiver(port?: number): Promise<OtlpReceiver> {
  const receiver = await OtlpReceiver.start(port);
  onTestFinished(() => receiver[Symbol.asyncDispose]());
  return receiver;
}

/** All three signals, sent soon. */
function everything(otlp: object): Record<string, object> {
  const exporter = { otlp };
  const processors = [{ batch: { schedule_delay: 100, exporter } }];
  return {
    logs: { level: "debug", processors },
    metrics: { readers: [{ periodic: { interval: 500, exporter } }] },
    traces: { processors },
  };
}

describe("own telemetry", () => {
  it("reaches the backend: spans, metrics and log records of a supervisor that takes a configuration", async () => {
    const receiver = await startReceiver();
    const otlp = { protocol: "http/json", endpoint: receiver.endpoint, headers: { "X-Key": "t0p-key" } };
    const host = await supervisorHost({
      settings: { telemetry: { ...everything(otlp), resource: { "service.namespace": "shop" } } },
      secrets: ["t0p-key"],
    });
    const supervisor = await host.startHealthy();
    const uid = (await supervisor.waitFor("started")).instance_uid;
    const config = await host.apply(host.remotePipeline());
    const { spans, points, logs } = receiver;

    const bootstrap = await receiver.waitFor(spans, ({ name }) => name === "GetBootstrapInfo");
    expect(bootstrap.status.code).toBe(1);
    expect(bootstrap.resource).toMatchObject({
      "service.name": "opamp-supervisor",
      "service.instance.id": uid,
      "service.namespace": "shop",
    });
    const processed = await receiver.waitFor(spans, ({ name }) => name === "processRemoteConfigMessage");
    const config_hash = Buffer.from(config.configHash).toString("hex");
    expect(processed).toMatchObject({ status: { code: 1 }, attributes: { outcome: "applied", config_hash } });
    const message = await receiver.waitFor(spans, ({ spanId }) => spanId === processed.parentSpanId);
    expect(message.name).toBe("onMessage");
    await receiver.waitFor(spans, ({ name }) => name === "handleAgentOpAMPMessage");

    const healthy = await receiver.waitFor(
      points,
      ({ name, value }) => name === "supervisor.agent.health_status" && value === 1,
    );
    expect(healthy).toMatchObject({ kind: "sum", resource: bootstrap.resource });
    const connected = await receiver.waitFor(
      points,
      ({ name, value }) => name === "opamp_agent_connection_status" && value === 1,
    );
    expect(connected.attributes).toEqual({ server: `127.0.0.1:${host.ports.opamp}` });
    await receiver.waitFor(
      points,
      ({ name, value, attributes }) =>
        name === "opamp_agent_config_updates_total" && attributes.status === "applied" && value === 1,
    );
    await receiver.waitFor(points, ({ name }) => name === "opamp_agent_effective_config_hash");

    const line = await receiver.waitFor(logs, ({ attributes }) => attributes.event === "config_received");
    expect(line).toMatchObject({ severity: "info", severityNumber: 9, scope: "opamp-agent" });
    expect(line).toMatchObject({ body: "the server offers a configuration", traceId: message.traceId });
    expect(receiver.requests[0]?.headers["x-key"]).toBe("t0p-key");

    await supervisor.kill("SIGTERM");
    // The last words are sent before the end.
    await receiver.waitFor(logs, ({ attributes }) => attributes.event === "stopped", 0);
  });

  it("counts the restarts of the Collector, and why", async () => {
    const receiver = await startReceiver();
    const otlp = { protocol: "http/json", endpoint: receiver.endpoint };
    const host = await supervisorHost({ settings: { telemetry: everything(otlp) } });
    const supervisor = await host.startHealthy();
    await host.apply(host.remotePipeline());
    process.kill(await host.onlyCollector(), "SIGKILL");
    await supervisor.waitFor("collector_restarted");
    const killed = await receiver.waitFor(
      receiver.points,
      ({ name, attributes, value }) =>
        name === "opamp_agent_collector_restarts_total" && attributes.reason === "signal" && value > 0,
    );
    expect(killed).toMatchObject({ value: 1, kind: "monotonic sum" });
  });

  it.each(["http/protobuf", "grpc"] as const)("is understood by a Collector, over %s", async (protocol) => {
    const receiver = await startReceiver();
    const ports = await startRelay(receiver);
    const endpoint =
      protocol === "grpc" ? `http://127.0.0.1:${ports.grpc}` : `http://127.0.0.1:${ports.http}`;
    const telemetry = everything({ protocol, endpoint, compression: "gzip" });
    const host = await supervisorHost({ settings: { telemetry } });
    await host.startHealthy();
    const span = await receiver.waitFor(receiver.spans, ({ name }) => name === "GetBootstrapInfo");
    expect(span).toMatchObject({ status: { code: 1 }, resource: { "service.name": "opamp-supervisor" } });
    await receiver.waitFor(receiver.points, ({ name }) => name === "supervisor.agent.health_status");
    const started = await receiver.waitFor(receiver.logs, ({ attributes }) => attributes.event === "started");
    expect(started.resource).toEqual(span.resource);
  });

  it("is served to Prometheus", async () => {
    const port = await freePort();
    const exporter = { prometheus: { host: "127.0.0.1", port } };
    const host = await supervisorHost({
      settings: { telemetry: { metrics: { readers: [{ pull: { exporter } }] } } },
    });
    await host.startHealthy();
    const { body } = await fetchBytes(`http://127.0.0.1:${port}/metrics`);
    const text = Buffer.from(body).toString();
    expect(text).toMatch(/^supervisor_agent_health_status\{.*\} 1$/m);
    expect(text).toMatch(/^opamp_agent_config_updates_total\{status="failed".*\} 0$/m);
  });

  it("keeps nobody from working when the backend is never there, and is told of once", async () => {
    const endpoint = `127.0.0.1:${await freePort()}`;
    const otlp = { protocol: "http/protobuf", endpoint: `http://${endpoint}`, timeout: 500 };
    const host = await supervisorHost({ settings: { telemetry: everything(otlp) } });
    const supervisor = await host.startHealthy();
    await host.apply(host.remotePipeline());
    await host.expectDataFlows();
    const isTold = ({ event }: LogLine) => event === "telemetry_export_failed";
    for (const signal of ["logs", "metrics", "traces"]) {
      const told = await supervisor.waitFor((line) => isTold(line) && line.signal === signal);
      expect(told).toMatchObject({ level: "warn", endpoint });
    }
    await supervisor.kill("SIGTERM");
    expect(supervisor.lines.filter(isTold)).toHaveLength(3);
  });

  it("does not keep the supervisor from ending when the backend never answers", async () => {
    const receiver = await startReceiver();
    receiver.silent = true;
    const otlp = { protocol: "http/json", endpoint: receiver.endpoint, timeout: 600_000 };
    const host = await supervisorHost({ settings: { telemetry: everything(otlp) } });
    const supervisor = await host.startHealthy();
    expect(await supervisor.kill("SIGTERM")).toEqual({ code: 0, signal: null });
    expect(supervisor.lines.at(-1)).toMatchObject({ event: "stopped" });
  });

  it("costs nothing where nobody asked for it: the SDK is a file that is not read", async () => {
    const program = readFileSync(new URL("../../../dist/supervisor.bundle.js", import.meta.url), "latin1");
    const sdk = readFileSync(new URL("../../../dist/lazy/start-sdk.cjs", import.meta.url), "latin1");
    const mark = "OTel-OTLP-Exporter-JavaScript";
    expect(sdk).toContain(mark);
    expect(program).not.toContain(mark);
    expect(program).toContain("./lazy/start-sdk.cjs");
  });
});
