import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { Host } from "../../test/interop/host.ts";
import type { Measurement, Samples } from "../measurement.ts";
import { probeDuring } from "../probe.ts";
import type { Subject } from "../subjects.ts";

const windowMs = 10_000;

/** A configuration that names a component which the Collector does not have. */
export const unknownComponent: Measurement = {
  name: "unknown-component",
  subjects: new Set(["ours", "reference", "reference-hup"]),
  rows: [
    { id: "unknown-component.failed", title: "unknown component → FAILED", unit: "ms" },
    { id: "unknown-component.gap", title: "unknown component: longest gap in 10 s", unit: "ms" },
  ],
  run: (subject) =>
    pushBad(subject, "unknown-component", (configuration) => ({
      ...configuration,
      exporters: { nosuch: {} },
    })),
};

/** A configuration that is valid and dies at start: its port is taken. */
export const failsAtStart: Measurement = {
  name: "fails-at-start",
  subjects: new Set(["ours", "reference", "reference-hup"]),
  rows: [
    { id: "fails-at-start.failed", title: "port in use → FAILED", unit: "ms" },
    { id: "fails-at-start.gap", title: "port in use: longest gap in 10 s", unit: "ms" },
  ],
  async run(subject) {
    const holder = createServer().listen(0, "127.0.0.1");
    await once(holder, "listening");
    const address = holder.address();
    if (address === null || typeof address === "string") throw new Error("no TCP address");
    const taken = { protocols: { grpc: { endpoint: `127.0.0.1:${address.port}` } } };
    try {
      return await pushBad(subject, "fails-at-start", (configuration) => ({
        ...configuration,
        receivers: { ...configuration.receivers, "otlp/taken": taken },
        service: {
          pipelines: {
            traces: { ...configuration.service.pipelines.traces, receivers: ["otlp", "otlp/taken"] },
          },
        },
      }));
    } finally {
      holder.close();
    }
  },
};

/** How soon the server knows, and how long senders of telemetry are without an answer. */
async function pushBad(
  subject: Subject,
  row: string,
  spoil: (configuration: ReturnType<Host["configuration"]>) => object,
): Promise<Samples> {
  await using host = await Host.running(subject);
  const from = host.server.mark();
  let failedMs = Number.POSITIVE_INFINITY;
  const { longestGapMs } = await probeDuring(host.otlpPort, async () => {
    const { at, hash } = await host.pushConfiguration(spoil(host.configuration(1)));
    const verdict = host.server.status("FAILED", hash, { from, timeoutMs: windowMs }).then(
      (message) => {
        failedMs = message.at - at;
      },
      () => undefined,
    );
    await Promise.all([verdict, delay(windowMs)]);
  });
  return { [`${row}.failed`]: [failedMs], [`${row}.gap`]: [longestGapMs] };
}
