import type {
  AgentDescription,
  AnyValue,
  ConnectionSettingsOffers,
  TelemetryConnectionSettings,
} from "../../opamp/messages.ts";
import { escapeDollars } from "./extension-fragment.ts";
import type { Tree, Value } from "./tree.ts";

/**
 * Where the Collector sends its own telemetry. A signal that is not offered, or offered with an empty
 * endpoint, is not there. A remote configuration that sets one of these lists replaces it, as in the
 * reference: `service.telemetry.metrics.readers` of the server wins over the offer.
 */
export function ownTelemetryFragment(offers: ConnectionSettingsOffers | undefined): Tree {
  const metrics = exporterOf(offers?.ownMetrics);
  const traces = exporterOf(offers?.ownTraces);
  const logs = exporterOf(offers?.ownLogs);
  const telemetry: Tree = {
    ...(metrics && { metrics: { readers: [{ periodic: metrics }] } }),
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

function exporterOf(settings: TelemetryConnectionSettings | undefined): Tree | undefined {
  if (settings === undefined || settings.destinationEndpoint === "") return undefined;
  const headers = (settings.headers?.headers ?? []).map(({ key, value }): [string, Value] => [
    key,
    escapeDollars(value),
  ]);
  return {
    exporter: {
      otlp: {
        protocol: "http/protobuf",
        endpoint: escapeDollars(settings.destinationEndpoint),
        ...(headers.length > 0 && { headers: Object.fromEntries(headers) }),
      },
    },
  };
}
