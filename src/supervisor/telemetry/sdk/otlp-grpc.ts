import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import {
  createOtlpNetworkExportDelegate,
  ExporterMetrics,
  type ExportResponse,
  type IExporterTransport,
  type IOtlpExportDelegate,
} from "@opentelemetry/otlp-exporter-base";
import type { OtlpSettings } from "../../settings/telemetry-settings.ts";
import { concurrencyLimit, type ExporterTls, type OtlpSignal } from "./otlp-exporter.ts";

/** OTLP, "OTLP/gRPC Response": what is worth another attempt; grpc-js makes up to five. */
const retryPolicy = {
  maxAttempts: 5,
  initialBackoff: "1s",
  maxBackoff: "5s",
  backoffMultiplier: 1.5,
  retryableStatusCodes: [
    "CANCELLED",
    "DEADLINE_EXCEEDED",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNAVAILABLE",
    "DATA_LOSS",
  ],
};

const channelOptions = {
  "grpc.service_config": JSON.stringify({ methodConfig: [{ name: [{}], retryPolicy }] }),
};

/** gzip, in the numbers of grpc-js. */
const gzip = 2;

/** Exports over gRPC. The connection is made with the first export. */
export function openGrpc<T>(
  signal: OtlpSignal<T>,
  settings: OtlpSettings,
  tls: ExporterTls,
): IOtlpExportDelegate<T> {
  const { timeoutMs: timeoutMillis, compression } = settings;
  return createOtlpNetworkExportDelegate(
    { timeoutMillis, concurrencyLimit, compression },
    signal.protobuf,
    new ExporterMetrics({
      componentType: "otlp_grpc_exporter",
      metricsHelper: signal.counting,
      url: undefined,
      meterProvider: undefined,
      responseAttributesFromError: () => ({}),
    }),
    transport(`/${signal.service}/Export`, settings, tls),
  );
}

function transport(method: string, settings: OtlpSettings, tls: ExporterTls): IExporterTransport {
  const { address, secure } = target(settings);
  const channelCredentials = secure
    ? credentials.createSsl(tls.ca ?? null, tls.key ?? null, tls.cert ?? null)
    : credentials.createInsecure();
  const client = new Client(address, channelCredentials, {
    ...channelOptions,
    ...(settings.compression === "gzip" && { "grpc.default_compression_algorithm": gzip }),
  });
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(settings.headers)) metadata.set(name, value);
  const asIs = (bytes: Buffer) => bytes;
  return {
    send: (data, timeoutMillis) =>
      new Promise<ExportResponse>((resolve) => {
        const deadline = Date.now() + timeoutMillis;
        const answered = (error: ServiceError | null, answer?: Buffer) =>
          resolve(
            error === null
              ? { status: "success", ...(answer && { data: answer }) }
              : { status: "failure", error },
          );
        client.makeUnaryRequest(method, asIs, asIs, Buffer.from(data), metadata, { deadline }, answered);
      }),
    shutdown: () => client.close(),
  };
}

/** As in the Go program: the scheme says whether it is TLS; without one `insecure` does. */
function target({ endpoint, insecure }: OtlpSettings): { address: string; secure: boolean } {
  if (endpoint === undefined) return { address: "localhost:4317", secure: false };
  const url = URL.parse(endpoint);
  if (url === null || !/^https?:$/.test(url.protocol)) return { address: endpoint, secure: !insecure };
  const secure = url.protocol === "https:";
  return { address: url.port === "" ? `${url.hostname}:${secure ? 443 : 80}` : url.host, secure };
}
