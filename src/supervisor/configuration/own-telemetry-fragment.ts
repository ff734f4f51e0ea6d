import type { Tree } from "../../foundation/collector-yaml/tree.ts";
import type { AgentDescription, AnyValue, ConnectionSettingsOffers } from "../../opamp/messages.ts";
import { type Destination, destinationOf } from "../connection/collector/destination.ts";
import { escapeDollars } from "./extension-fragment.ts";

/** The path of the file that holds a PEM text, which is to be written before the configuration is used. */
export type PemPath = (pem: string) => string;

/** As the specification asks for (AN16); the Collector's own default is a minute. */
const metricsIntervalMs = 10_000n;

/**
 * Where the Collector sends its own telemetry. A signal that is not offered, or offered with an empty
 * endpoint, is not there. A remote configuration that sets one of these lists replaces it, as in the
 * reference: `service.telemetry.metrics.readers` of the server wins over the offer.
 */
export function ownTelemetryFragment(offers: ConnectionSettingsOffers | undefined, pemPath: PemPath): Tree {
  const metrics = exporterOf(destinationOf(offers?.ownMetrics), pemPath);
  const traces = exporterOf(destinationOf(offers?.ownTraces), pemPath);
  const logs = exporterOf(destinationOf(offers?.ownLogs), pemPath);
  const telemetry: Tree = {
    ...(metrics && { metrics: { readers: [{ periodic: { interval: metricsIntervalMs, ...metrics } }] } }),
    ...(traces && { traces: { processors: [{ batch: traces }] } }),
    ...(logs && { logs: { processors: [{ batch: logs }] } }),
  };
  return Object.keys(telemetry).length === 0 ? {} : { service: { telemetry } };
}

/** JSON logs, which the supervisor can read, and a resource that is the Agent's description. */
export function telemetryDefaults(attributes: Readonly<Record<string, string>>): Tree {
  // The Collector would take `::` in a key for nesting and refuse the whole configuration.
  const entries = Object.entries(attributes).filter(([key]) => key !== "" && !key.includes("::"));
  const resource = Object.fromEntries(entries.map(([key, value]) => [key, escapeDollars(value)]));
  return {
    service: {
      telemetry: {
        logs: { encoding: "json", error_output_paths: ["stderr"], output_paths: ["stdout"] },
        ...(entries.length > 0 && { resource }),
      },
    },
  };
}

/** The attributes of a description as text; lists, maps and bytes are left out. */
export function descriptionAttributes(description: AgentDescription): Record<string, string> {
  const { identifyingAttributes, nonIdentifyingAttributes } = description;
  const entries = [...identifyingAttributes, ...nonIdentifyingAttributes].flatMap(({ key, value }) => {
    const text = scalarText(value);
    return text === undefined ? [] : [[key, text] as const];
  });
  return Object.fromEntries(entries);
}

function scalarText(value: AnyValue | undefined): string | undefined {
  const content = value?.value;
  if (content?.value === undefined || typeof content.value === "object") return undefined;
  return String(content.value);
}

/** In the names of the declarative configuration that every Collector since 0.110 understands. */
function exporterOf(destination: Destination | undefined, pemPath: PemPath): Tree | undefined {
  if (destination === undefined) return undefined;
  const { endpoint, headers, ca, certificate } = destination;
  const path = (pem: string) => escapeDollars(pemPath(pem));
  const escaped = Object.entries(headers).map(([key, value]) => [key, escapeDollars(value)]);
  return {
    exporter: {
      otlp: {
        protocol: "http/protobuf",
        endpoint: escapeDollars(endpoint),
        ...(escaped.length > 0 && { headers: Object.fromEntries(escaped) as Tree }),
        ...(ca !== undefined && { certificate: path(ca) }),
        ...(certificate && {
          client_certificate: path(certificate.cert),
          client_key: path(certificate.key),
        }),
      },
    },
  };
}
