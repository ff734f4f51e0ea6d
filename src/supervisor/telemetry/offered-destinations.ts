import type { ConnectionSettingsOffers, TelemetryConnectionSettings } from "../../opamp/messages.ts";
import { destinationOf } from "../connection/collector/destination.ts";
import type { OtlpSettings } from "../settings/telemetry-settings.ts";
import type { OfferedDestinations } from "./telemetry.ts";

const timeoutMs = 10_000;

/** Where offers of own telemetry lead each signal. `pemPath` names the file that holds a PEM text. */
export function offeredDestinations(
  offers: ConnectionSettingsOffers | undefined,
  pemPath: (pem: string) => string,
): OfferedDestinations {
  const otlp = (settings: TelemetryConnectionSettings | undefined): OtlpSettings | undefined => {
    const destination = destinationOf(settings);
    if (destination === undefined) return undefined;
    const { endpoint, headers, ca, certificate } = destination;
    return {
      kind: "otlp",
      protocol: "http/protobuf",
      endpoint,
      headers,
      timeoutMs,
      compression: "none",
      insecure: false,
      certificate: ca && pemPath(ca),
      clientCertificate: certificate && pemPath(certificate.cert),
      clientKey: certificate && pemPath(certificate.key),
      temporality: "cumulative",
    };
  };
  return { logs: otlp(offers?.ownLogs), metrics: otlp(offers?.ownMetrics), traces: otlp(offers?.ownTraces) };
}
