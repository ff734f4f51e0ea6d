import { readFileSync } from "node:fs";
import { type ExportResult, ExportResultCode } from "@opentelemetry/core";
import type { IOtlpExportDelegate } from "@opentelemetry/otlp-exporter-base";
import { createOtlpHttpExportDelegate } from "@opentelemetry/otlp-exporter-base/node-http";
import type { IExporterMetricsHelper, ISerializer } from "@opentelemetry/otlp-transformer";
import { describeError } from "../../../foundation/errors.ts";
import { agentFor } from "../../../foundation/proxy/agent.ts";
import { proxyOfEnvironment } from "../../../foundation/proxy/environment.ts";
import type { OtlpSettings } from "../../settings/telemetry-settings.ts";
import type { TelemetryOptions } from "../telemetry-options.ts";

/** What differs between the three signals. */
export interface OtlpSignal<T> {
  readonly name: "logs" | "metrics" | "traces";
  /** Of the request, where the endpoint has none. */
  readonly path: string;
  /** Of gRPC. */
  readonly service: string;
  readonly protobuf: ISerializer<T, unknown>;
  readonly json: ISerializer<T, unknown>;
  readonly counting: IExporterMetricsHelper<T>;
}

/** An exporter as the SDK takes it for every signal. */
export interface OtlpExporter<T> {
  export(items: T, done: (result: ExportResult) => void): void;
  forceFlush(): Promise<void>;
  shutdown(): Promise<void>;
}

/** PEM texts of the TLS settings. */
export interface ExporterTls {
  readonly ca?: Buffer;
  readonly key?: Buffer;
  readonly cert?: Buffer;
}

/** Exports at the same time; the SDK's own default. */
export const concurrencyLimit = 30;

/**
 * An exporter that tells the log when it begins to fail and when it works again.
 * @throws when a PEM file cannot be read; the message names the key.
 */
export async function openOtlp<T>(
  signal: OtlpSignal<T>,
  settings: OtlpSettings,
  { logger }: Pick<TelemetryOptions, "logger">,
): Promise<OtlpExporter<T>> {
  const tls = readTls(settings);
  const delegate =
    settings.protocol === "grpc"
      ? (await import("./otlp-grpc.ts")).openGrpc(signal, settings, tls)
      : openHttp(signal, settings, tls);
  let failing = false;
  const note = ({ code, error }: ExportResult) => {
    if (failing === (code === ExportResultCode.FAILED)) return;
    failing = !failing;
    const fields = { signal: signal.name, endpoint: displayEndpoint(settings) };
    if (failing) {
      const text = describeError(error ?? "unknown");
      logger.warn(
        { event: "telemetry_export_failed", ...fields, error: text },
        "own telemetry cannot be sent",
      );
    } else logger.info({ event: "telemetry_export_recovered", ...fields }, "own telemetry is sent again");
  };
  return {
    export: (items, done) =>
      delegate.export(items, (result) => {
        note(result);
        done(result);
      }),
    forceFlush: () => delegate.forceFlush(),
    shutdown: () => delegate.shutdown(),
  };
}

function openHttp<T>(
  signal: OtlpSignal<T>,
  settings: OtlpSettings,
  tls: ExporterTls,
): IOtlpExportDelegate<T> {
  const { protocol, endpoint, headers, timeoutMs, compression } = settings;
  const url = new URL(endpoint ?? "http://localhost:4318");
  // As in the Go program: an endpoint with a path is taken as it stands.
  if (url.pathname === "/") url.pathname = signal.path;
  const isJson = protocol === "http/json";
  return createOtlpHttpExportDelegate(
    {
      url: url.href,
      timeoutMillis: timeoutMs,
      concurrencyLimit,
      compression,
      headers: () =>
        Promise.resolve({
          ...headers,
          "Content-Type": isJson ? "application/json" : "application/x-protobuf",
        }),
      agentFactory: () => agentFor(url, proxyOfEnvironment(process.env)(url), { keepAlive: true, ...tls }),
    },
    isJson ? signal.json : signal.protobuf,
    `otlp_${protocol}_exporter`,
    signal.counting,
    undefined,
  );
}

function readTls({ certificate, clientKey, clientCertificate }: OtlpSettings): ExporterTls {
  return {
    ...(certificate !== undefined && { ca: readPem("certificate", certificate) }),
    ...(clientKey !== undefined && { key: readPem("client_key", clientKey) }),
    ...(clientCertificate !== undefined && { cert: readPem("client_certificate", clientCertificate) }),
  };
}

function readPem(key: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new Error(`${key}: cannot read ${path}`, { cause });
  }
}

/** Without credentials and query, which may hold secrets. */
function displayEndpoint({ endpoint, protocol }: OtlpSettings): string {
  const url = endpoint === undefined ? null : URL.parse(endpoint);
  if (url !== null && url.host !== "") return url.host;
  return endpoint ?? (protocol === "grpc" ? "localhost:4317" : "localhost:4318");
}
