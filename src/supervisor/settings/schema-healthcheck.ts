import { byteSize } from "../../foundation/settings-file/byte-size.ts";
import { decodeAt } from "../../foundation/settings-file/collections.ts";
import { duration } from "../../foundation/settings-file/duration.ts";
import {
  alreadyReported,
  boolean,
  field,
  oneOf,
  opaque,
  type SettingSchema,
  textOf,
} from "../../foundation/settings-file/field.ts";
import { headerMap } from "../../foundation/settings-file/header-map.ts";
import { type ListenAddress, listenAddress } from "../../foundation/settings-file/listen-address.ts";
import { defaulted, optional, optionalText, section } from "../../foundation/settings-file/section.ts";
import { isMap, present, type SettingValue } from "../../foundation/settings-file/setting-value.ts";
import { listenerTlsSection } from "./schema-tls.ts";
import { type HealthcheckSettings, healthcheckTransports } from "./supervisor-settings.ts";

/** Keys of confighttp.ServerConfig that mean nothing to a listener with one small answer. */
const unusedKeys = ["dialer", "cors", "auth", "include_metadata", "compression_algorithms", "middlewares"];

/** `healthcheck`: the Collector's confighttp.ServerConfig. */
export const healthcheckSection: SettingSchema<HealthcheckSettings> = field((value, complain, report) => {
  const keys: ReadonlyMap<string, SettingValue> = isMap(value.data) ? value.data : new Map();
  const transport = keys.get("transport");
  const unix = transport !== undefined && textOf(transport) === "unix";
  const decoded = decodeAt(unix ? unixSection : tcpSection, value, [], report);
  if (decoded === undefined) return complain(alreadyReported);
  return {
    endpoint: decoded.endpoint,
    transport: decoded.transport,
    tls: decoded.tls,
    responseHeaders: decoded.responseHeaders,
    maxRequestBodyBytes: decoded.maxRequestBodyBytes,
    readTimeoutMs: decoded.readTimeoutMs,
    readHeaderTimeoutMs: decoded.readHeaderTimeoutMs,
    writeTimeoutMs: decoded.writeTimeoutMs,
    idleTimeoutMs: decoded.idleTimeoutMs,
    keepAlivesEnabled: decoded.keepAlivesEnabled,
    unusedKeys: unusedKeys.filter((key) => present(keys.get(key)) !== undefined),
  };
});

const tcpSection = healthcheckWith(
  listenAddress((port) => `healthcheck::endpoint must contain a valid port number, got ${port}`),
);
const unixSection = healthcheckWith(
  field((value, complain) => ({ path: textOf(value) ?? complain("expected the path of a socket") })),
);

function healthcheckWith(endpoint: SettingSchema<ListenAddress | { path: string }>) {
  return section({
    endpoint: optionalText("endpoint", endpoint),
    transport: defaulted("transport", oneOf(healthcheckTransports), "tcp"),
    tls: optional("tls", listenerTlsSection),
    responseHeaders: defaulted("response_headers", headerMap(), {}),
    maxRequestBodyBytes: optional("max_request_body_size", byteSize()),
    readTimeoutMs: optional("read_timeout", duration()),
    readHeaderTimeoutMs: optional("read_header_timeout", duration()),
    writeTimeoutMs: optional("write_timeout", duration()),
    idleTimeoutMs: optional("idle_timeout", duration()),
    keepAlivesEnabled: optional("keep_alives_enabled", boolean()),
    ...Object.fromEntries(unusedKeys.map((key) => [key, optional(key, opaque())])),
  });
}
