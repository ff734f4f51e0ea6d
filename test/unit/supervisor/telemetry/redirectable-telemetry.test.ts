import { expect, it } from "vitest";
import { silentLogger } from "../../../../src/foundation/logger.ts";
import type { Metric } from "../../../../src/foundation/metrics/metric.ts";
import type {
  OtlpSettings,
  TelemetrySettings,
} from "../../../../src/supervisor/settings/telemetry-settings.ts";
import { RedirectableTelemetry } from "../../../../src/supervisor/telemetry/redirectable-telemetry.ts";
import { noTelemetry, type TelemetryPipeline } from "../../../../src/supervisor/telemetry/telemetry.ts";
import { load } from "../settings/support.ts";

const otlp = (endpoint: string): OtlpSettings => ({
  kind: "otlp",
  protocol: "http/protobuf",
  endpoint,
  headers: {},
  timeoutMs: 1,
  compression: "none",
  insecure: false,
  certificate: undefined,
  clientKey: undefined,
  clientCertificate: undefined,
  temporality: "cumulative",
});

/** Telemetry by these lines of supervisor.yaml, and what was done with each pipeline that was opened. */
function setUp(...lines: string[]) {
  const text = ["server: {endpoint: ws://h}", "agent: {executable: /otelcol}", "telemetry:", ...lines];
  const settings = load(text.join("\n")).settings.telemetry;
  const opened: { wanted: TelemetrySettings; done: string[] }[] = [];
  const pipeline = (done: string[]): TelemetryPipeline => ({
    ...noTelemetry,
    identify: (uid) => void done.push(`identify ${uid}`),
    observe: (metrics) => void done.push(`observe ${metrics.map(({ name }) => name).join()}`),
    logger: () => ({ ...silentLogger, info: (_fields, message) => void done.push(message) }),
    close: () => Promise.resolve(void done.push("close")),
  });
  const first: string[] = [];
  const telemetry = new RedirectableTelemetry(settings, pipeline(first), (wanted) => {
    const done: string[] = [];
    opened.push({ wanted, done });
    return Promise.resolve(pipeline(done));
  });
  return { telemetry, opened, first };
}

const endpoints = ({ logs, metrics, traces }: TelemetrySettings) =>
  [...logs.processors, ...metrics.readers, ...traces.processors].map(
    ({ exporter }) => (exporter as OtlpSettings).endpoint,
  );

it("goes where it is offered, each signal for which supervisor.yaml names nothing", async () => {
  const otherwise =
    "  logs: {processors: [{batch: {exporter: {otlp: {protocol: http/protobuf, endpoint: http://mine}}}}]}";
  const { telemetry, opened } = setUp(otherwise);
  await telemetry.redirect({ logs: otlp("http://l"), metrics: otlp("http://m"), traces: otlp("http://t") });
  expect(opened.map(({ wanted }) => endpoints(wanted))).toEqual([["http://mine", "http://m", "http://t"]]);
  await telemetry.redirect({ traces: otlp("http://t2") });
  expect(endpoints(opened[1]!.wanted)).toEqual(["http://mine", "http://t2"]);
});

it("hands over once, and only when something else is wanted", async () => {
  const { telemetry, opened, first } = setUp("  metrics: {level: normal}");
  const logger = telemetry.logger("opamp-agent", silentLogger);
  const metric: Metric = { name: "m", help: "", kind: "gauge", points: () => [] };
  telemetry.observe([metric]);
  telemetry.identify("u");
  logger.info({ event: "a" }, "before");
  await telemetry.redirect({});
  expect(opened).toEqual([]);
  await Promise.all([
    telemetry.redirect({ logs: otlp("http://l") }),
    telemetry.redirect({ logs: otlp("http://l") }),
  ]);
  logger.info({ event: "a" }, "after");
  await telemetry.close();
  expect(first).toEqual(["observe m", "identify u", "before", "close"]);
  expect(opened.map(({ done }) => done)).toEqual([["identify u", "observe m", "after", "close"]]);
});
