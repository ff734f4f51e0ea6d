import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { LogFields, Logger } from "../../../../src/foundation/logger.ts";
import { openTelemetry } from "../../../../src/supervisor/telemetry/open-telemetry.ts";
import { noTelemetry } from "../../../../src/supervisor/telemetry/telemetry.ts";
import { traced } from "../../../../src/supervisor/telemetry/tracer.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { OtlpReceiver } from "../../../support/otlp-receiver.ts";
import { tempDir } from "../../../support/temp-dir.ts";
import { fileWith, load } from "../settings/support.ts";

interface Line extends LogFields {
  level: string;
  message: string;
}

function recordingLogger(): { logger: Logger; lines: Line[] } {
  const lines: Line[] = [];
  const at = (level: string) => (fields: LogFields, message: string) =>
    void lines.push({ ...fields, level, message });
  return { logger: { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") }, lines };
}

async function startReceiver(): Promise<OtlpReceiver> {
  const receiver = await OtlpReceiver.start();
  onTestFinished(() => receiver[Symbol.asyncDispose]());
  return receiver;
}

/** Telemetry as a settings file has it. */
async function open(...lines: string[]) {
  const { logger, lines: told } = recordingLogger();
  const clock = new ManualClock();
  const mask = (text: string) => text.replaceAll("s3cr3t", "[REDACTED]");
  const { settings } = load(fileWith("telemetry", ...lines));
  const options = { version: "1.2.3", level: "info", mask, logger, clock } as const;
  const telemetry = await openTelemetry(settings.telemetry, options);
  onTestFinished(() => telemetry.close());
  return { telemetry, told, logger, clock };
}

const to = (receiver: OtlpReceiver, more = "") =>
  `{exporter: {otlp: {protocol: http/json, endpoint: "${receiver.endpoint}"${more}}}}`;

describe("own telemetry", () => {
  it("is nothing where nothing is set, or all is switched off", async () => {
    const receiver = await startReceiver();
    expect((await open()).telemetry).toBe(noTelemetry);
    const off = await open(
      `metrics: {level: none, readers: [{periodic: ${to(receiver)}}]}`,
      `traces: {level: none, processors: [{simple: ${to(receiver)}}]}`,
    );
    expect(off.telemetry).toBe(noTelemetry);
  });

  it("waits for the instance UID, which is part of what the supervisor is", async () => {
    const receiver = await startReceiver();
    const { telemetry } = await open(
      `logs: {processors: [{simple: ${to(receiver)}}]}`,
      "resource: {a: b, service.version: '9', service.name: }",
    );
    telemetry.logger("opamp-agent", noLog).info({ event: "early" }, "early");
    telemetry.identify("the uid");
    const { resource } = await receiver.waitFor(receiver.logs, ({ body }) => body === "early");
    expect(resource).toEqual({
      "service.name": "opamp-supervisor",
      "service.version": "9",
      "service.instance.id": "the uid",
      a: "b",
    });
  });

  it("is sent at the end even if the UID was never known", async () => {
    const receiver = await startReceiver();
    const { telemetry } = await open(`logs: {processors: [{batch: ${to(receiver)}}]}`);
    telemetry.logger("opamp-agent", noLog).error({ event: "start_failed" }, "no");
    await telemetry.close();
    expect(receiver.logs).toMatchObject([{ body: "no", resource: { "service.name": "opamp-supervisor" } }]);
  });

  it("holds no longer at the end than five seconds", async () => {
    const receiver = await startReceiver();
    receiver.silent = true;
    const { telemetry, clock } = await open(`logs: {processors: [{batch: ${to(receiver)}}]}`);
    telemetry.logger("opamp-agent", noLog).info({ event: "x" }, "x");
    const closed = telemetry.close();
    expect(clock.pending).toEqual([5_000]);
    clock.advance(5_000);
    await expect(closed).resolves.toBeUndefined();
  });
});

const noLog = recordingLogger().logger;

describe("a line of the log", () => {
  it("goes to the log as ever, and out with its level, fields and span, without secrets", async () => {
    const receiver = await startReceiver();
    const { telemetry } = await open(
      `logs: {processors: [{batch: ${to(receiver)}}]}`,
      `traces: {processors: [{batch: ${to(receiver)}}]}`,
    );
    const local = recordingLogger();
    const logger = telemetry.logger("opamp-agent", local.logger);
    const fields = {
      event: "e",
      text: "has s3cr3t",
      count: 2,
      list: ["s3cr3t", 1],
      nested: { a: true },
      none: undefined,
      error: new Error("bad s3cr3t"),
      big: 3n,
    };
    telemetry.tracer.during("onMessage", () => logger.warn(fields, "about s3cr3t"));
    logger.debug({ event: "below the level" }, "no");
    await telemetry.close();
    expect(local.lines.map(({ event }) => event)).toEqual(["e", "below the level"]);
    expect(receiver.logs).toHaveLength(1);
    expect(receiver.logs[0]).toMatchObject({
      severity: "warn",
      severityNumber: 13,
      scope: "opamp-agent",
      body: "about [REDACTED]",
      traceId: receiver.spans[0]?.traceId,
    });
    expect(receiver.logs[0]?.attributes).toEqual({
      event: "e",
      text: "has [REDACTED]",
      count: 2,
      list: ["[REDACTED]", 1],
      nested: { a: true },
      error: "bad [REDACTED]",
      big: "3",
    });
  });

  it("about telemetry is told once when it begins to fail, once when it works again, and never sent", async () => {
    const receiver = await startReceiver();
    receiver.refuseWith = 400;
    const { telemetry, told } = await open(`logs: {processors: [{simple: ${to(receiver)}}]}`);
    telemetry.identify("uid");
    const logger = telemetry.logger("opamp-agent", noLog);
    const send = async (text: string) => {
      const before = receiver.requests.length;
      logger.info({ event: text }, text);
      await receiver.waitFor([receiver], ({ requests }) => requests.length > before);
    };
    await send("one");
    await send("two");
    receiver.refuseWith = undefined;
    await send("three");
    await telemetry.close();
    expect(told).toMatchObject([
      { event: "telemetry_export_failed", level: "warn", signal: "logs" },
      { event: "telemetry_export_recovered", level: "info" },
    ]);
    expect(receiver.logs.map(({ body }) => body)).toEqual(["three"]);
  });
});

describe("a span", () => {
  it("has its parent, its outcome and no secret", async () => {
    const receiver = await startReceiver();
    const { telemetry } = await open(`traces: {processors: [{batch: ${to(receiver)}}]}`);
    const { tracer } = telemetry;
    const child = tracer.during("onMessage", () =>
      tracer.start("processRemoteConfigMessage", { config_hash: "s3cr3t" }),
    );
    child.set({ outcome: "failed" });
    child.end("because of s3cr3t");
    child.end();
    expect(() =>
      tracer.during("handleAgentOpAMPMessage", () => {
        throw new Error("broke");
      }),
    ).toThrow("broke");
    await expect(traced(tracer, "GetBootstrapInfo", () => Promise.reject(new Error("no")))).rejects.toThrow(
      "no",
    );
    await expect(traced(tracer, "GetBootstrapInfo", () => Promise.resolve(7))).resolves.toBe(7);
    await telemetry.close();
    const { spans } = receiver;
    expect(spans.map(({ name, status }) => [name, status.code, status.message ?? ""])).toEqual([
      ["onMessage", 1, ""],
      ["processRemoteConfigMessage", 2, "because of [REDACTED]"],
      ["handleAgentOpAMPMessage", 2, "broke"],
      ["GetBootstrapInfo", 2, "no"],
      ["GetBootstrapInfo", 1, ""],
    ]);
    expect(spans[1]).toMatchObject({
      parentSpanId: spans[0]?.spanId,
      attributes: { config_hash: "[REDACTED]", outcome: "failed" },
    });
    expect(spans[2]?.parentSpanId).toBeUndefined();
  });

  it("is dropped by the sampler, and cut by the limits", async () => {
    const receiver = await startReceiver();
    const processors = `processors: [{batch: ${to(receiver)}}]`;
    const off = await open(`traces: {sampler: {parent_based: {root: {always_off: }}}, ${processors}}`);
    off.telemetry.tracer.start("onMessage").end();
    await off.telemetry.close();
    expect(receiver.spans).toEqual([]);
    const cut = await open(`traces: {limits: {attribute_value_length_limit: 2}, ${processors}}`);
    cut.telemetry.tracer.start("onMessage", { outcome: "long" }).end();
    await cut.telemetry.close();
    expect(receiver.spans[0]?.attributes).toEqual({ outcome: "lo" });
  });
});

describe("a metric", () => {
  it("is read at each collection; what is not there any more is not sent any more", async () => {
    const receiver = await startReceiver();
    const { telemetry } = await open(
      `metrics: {readers: [{periodic: {interval: 20, ${to(receiver).slice(1)}}]}`,
    );
    telemetry.identify("uid");
    let hash = "one";
    telemetry.observe([
      { name: "n_total", help: "h", kind: "counter", points: () => [{ value: 3, labels: { a: "b" } }] },
      { name: "info", help: "h", kind: "gauge", points: () => [{ value: 1, labels: { hash } }] },
    ]);
    const point = await receiver.waitFor(receiver.points, ({ name }) => name === "n_total");
    expect(point).toMatchObject({ kind: "monotonic sum", value: 3, attributes: { a: "b" } });
    hash = "two";
    await receiver.waitFor(receiver.points, ({ attributes }) => attributes.hash === "two");
    receiver.points.length = 0;
    await receiver.waitFor(receiver.points, ({ name }) => name === "info");
    expect(receiver.points.filter(({ attributes }) => attributes.hash === "one")).toEqual([]);
  });
});

describe("an exporter", () => {
  it("sends to its path with its headers, and to the signal's where the endpoint has none", async () => {
    const receiver = await startReceiver();
    const withPath = to(receiver, ", headers: {X-Key: k}").replace(
      receiver.endpoint,
      `${receiver.endpoint}/in/logs`,
    );
    const { telemetry } = await open(
      `logs: {processors: [{batch: ${withPath}}]}`,
      `traces: {processors: [{batch: ${to(receiver)}}]}`,
    );
    telemetry.logger("opamp-agent", noLog).info({ event: "x" }, "x");
    telemetry.tracer.start("onMessage").end();
    await telemetry.close();
    const keys = Object.fromEntries(receiver.requests.map(({ path, headers }) => [path, headers["x-key"]]));
    expect(keys).toEqual({ "/in/logs": "k", "/v1/traces": undefined });
  });

  it("that cannot be set up is left out and told of; the others work", async () => {
    const receiver = await startReceiver();
    const missing = join(tempDir(), "ca.pem");
    const { telemetry, told } = await open(
      `logs: {processors: [{simple: ${to(receiver, `, certificate: ${missing}`)}}, {batch: ${to(receiver)}}]}`,
    );
    expect(told).toMatchObject([{ event: "telemetry_failed", level: "error", signal: "logs" }]);
    expect(told[0]?.error).toContain(`certificate: cannot read ${missing}`);
    telemetry.logger("opamp-agent", noLog).info({ event: "x" }, "x");
    await telemetry.close();
    expect(receiver.logs).toHaveLength(1);
    writeFileSync(missing, "");
  });
});
