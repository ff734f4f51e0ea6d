import { decodeAt } from "../../foundation/settings-file/collections.ts";
import { parseDuration } from "../../foundation/settings-file/duration.ts";
import {
  alreadyReported,
  boolean,
  field,
  integer,
  oneOf,
  opaque,
  type SettingSchema,
  text,
  textOf,
} from "../../foundation/settings-file/field.ts";
import {
  defaulted,
  optional,
  optionalText,
  required,
  section,
} from "../../foundation/settings-file/section.ts";
import {
  describeKind,
  describeValue,
  isMap,
  type SettingValue,
} from "../../foundation/settings-file/setting-value.ts";
import { exporterHeaders, exporterHeadersList } from "./schema-exporter-headers.ts";
import {
  compressions,
  type ExporterSettings,
  type OtlpProtocol,
  type OtlpSettings,
  otlpProtocols,
  type PrometheusSettings,
  temporalities,
} from "./telemetry-settings.ts";

/** Where spans or log records go. */
export function exporter(): SettingSchema<ExporterSettings> {
  return variant<ExporterSettings>("an exporter", { otlp: otlp(), console: consoleExporter() });
}

/** Where metrics of a periodic reader go. */
export function metricExporter(): SettingSchema<ExporterSettings> {
  return variant<ExporterSettings>("an exporter of metrics", {
    otlp: metricOtlp(),
    console: consoleExporter(),
  });
}

/** What a pull reader serves. */
export function pullExporter(): SettingSchema<PrometheusSettings> {
  return variant("an exporter of a pull reader", { prometheus: prometheus() });
}

/** A map of one key, which says what stands there: `{batch: …}`. Nothing after the key is an empty map. */
export function variant<T>(
  what: string,
  kinds: Readonly<Record<string, SettingSchema<T>>>,
): SettingSchema<T> {
  const known = Object.keys(kinds);
  const expected = `expected ${what}: one of ${known.join(", ")}`;
  return field((value, complain, report) => {
    if (!isMap(value.data)) return complain(`${expected}, got ${describeKind(value)}`);
    const [entry, ...others] = [...value.data];
    if (entry === undefined) return complain(`${expected}, got an empty map`);
    if (others.length > 0) return complain(`${expected}, got a map of ${value.data.size} keys`);
    const [kind, child] = entry;
    const schema = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
    if (schema === undefined) return complain(`unknown kind; ${expected}`, value.origin ? [] : [kind]);
    const decoded = decodeAt(schema, emptyAsMap(child), value.origin ? [] : [kind], report);
    return decoded ?? complain(alreadyReported);
  });
}

function emptyAsMap(value: SettingValue): SettingValue {
  return value.data === null ? { ...value, data: new Map(), text: undefined } : value;
}

/** Milliseconds as the declarative configuration has them; a Go duration does as well. */
export function milliseconds(): SettingSchema<number> {
  return field((value, complain) => {
    const found = textOf(value) ?? "";
    const ms = /^\d+$/.test(found) ? Number(found) : parseDuration(found);
    if (ms !== undefined && ms > 0 && ms <= 2 ** 31 - 1) return ms;
    return complain(
      `expected milliseconds such as 5000 or a duration such as 5s, got ${describeValue(value)}`,
    );
  });
}

function consoleExporter(): SettingSchema<{ readonly kind: "console" }> {
  return field((value, _complain, report) => {
    decodeAt(section({}), value, [], report);
    return { kind: "console" };
  });
}

const path = () => text({ expected: "a path" });

const otlpKeys = () => ({
  protocol: required("protocol", oneOf(otlpProtocols), `must be one of ${otlpProtocols.join(", ")}`),
  endpoint: optionalText("endpoint", anyText()),
  headers: defaulted("headers", exporterHeaders(), {}),
  headersList: defaulted("headers_list", exporterHeadersList(), {}),
  timeoutMs: defaulted("timeout", milliseconds(), 10_000),
  compression: { ...defaulted("compression", oneOf(compressions), "none"), emptyIsAbsent: true },
  insecure: defaulted("insecure", boolean(), false),
  certificate: optionalText("certificate", path()),
  clientKey: optionalText("client_key", path()),
  clientCertificate: optionalText("client_certificate", path()),
});

function otlp(): SettingSchema<OtlpSettings> {
  return checked(section(otlpKeys()), (found) => ({ ...found, temporality: "cumulative" }));
}

function metricOtlp(): SettingSchema<OtlpSettings> {
  const keys = {
    ...otlpKeys(),
    temporality: defaulted("temporality_preference", oneOf(temporalities), "cumulative"),
    // The supervisor has no histograms.
    histogramAggregation: optional("default_histogram_aggregation", opaque()),
  };
  return checked(section(keys), ({ histogramAggregation: _unused, ...found }) => found);
}

type FoundOtlp = Omit<OtlpSettings, "kind"> & { headersList: OtlpSettings["headers"] };

/** What one key alone cannot tell. */
function checked<T>(
  schema: SettingSchema<T>,
  toFound: (decoded: T) => FoundOtlp,
): SettingSchema<OtlpSettings> {
  return field((value, complain, report) => {
    const decoded = decodeAt(schema, value, [], report);
    if (decoded === undefined) return complain(alreadyReported);
    const { headers, headersList, ...found } = toFound(decoded);
    const { protocol, endpoint, clientKey, clientCertificate } = found;
    const wrongEndpoint = endpoint === undefined ? undefined : endpointFault(protocol, endpoint);
    if (wrongEndpoint !== undefined) report(wrongEndpoint, value.origin ? [] : ["endpoint"]);
    if ((clientKey === undefined) !== (clientCertificate === undefined)) {
      return complain("client_key and client_certificate belong together; set both or neither");
    }
    return { kind: "otlp", ...found, headers: { ...headersList, ...headers } };
  });
}

/** A URL may hold a password and is never shown. */
function endpointFault(protocol: OtlpProtocol, endpoint: string): string | undefined {
  const url = URL.parse(endpoint);
  if (url !== null && /^https?:$/.test(url.protocol)) return undefined;
  if (protocol !== "grpc") return "expected a URL such as https://otlp.example.com:4318/v1/logs";
  return /^(\[[^\]]+\]|[^/:\s]+):\d+$/.test(endpoint)
    ? undefined
    : "expected an address such as https://otlp.example.com:4317 or otlp.example.com:4317";
}

function anyText(): SettingSchema<string> {
  return field((value, complain) => textOf(value) ?? complain("expected a URL"));
}

/** Of the Go program's exporter; its names and its resource labels are as our metrics have them. */
const unusedPrometheusKeys = ["without_units", "without_type_suffix", "with_resource_constant_labels"];

function prometheus(): SettingSchema<PrometheusSettings> {
  const schema = section({
    host: defaulted("host", text({ expected: "a host name" }), "localhost"),
    port: defaulted("port", integer({ min: 1, max: 65_535 }), 9464),
    withoutScopeInfo: defaulted("without_scope_info", boolean(), false),
    ...Object.fromEntries(unusedPrometheusKeys.map((key) => [key, optional(key, opaque())])),
  });
  return field((value, complain, report) => {
    const decoded = decodeAt(schema, value, [], report);
    if (decoded === undefined || !isMap(value.data)) return complain(alreadyReported);
    const { host, port, withoutScopeInfo } = decoded;
    const { data } = value;
    const unusedKeys = unusedPrometheusKeys.filter((key) => data.has(key));
    return { kind: "prometheus", host, port, withoutScopeInfo, unusedKeys };
  });
}
