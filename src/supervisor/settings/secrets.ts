import type { Headers, SupervisorSettings } from "./supervisor-settings.ts";
import type { ExporterSettings, PrometheusSettings } from "./telemetry-settings.ts";

/** The texts of a settings file that are secret by what they are, wherever they were written. */
export function secretsOf({
  server,
  packages,
  telemetry,
  healthcheck,
}: SupervisorSettings): ReadonlySet<string> {
  const secrets = new Set<string>();
  addHeaders(secrets, server.headers);
  addHeaders(secrets, healthcheck.responseHeaders);
  for (const tls of [server.tls, healthcheck.tls]) {
    add(secrets, tls?.keyPem, tls?.tpm.auth, tls?.tpm.ownerAuth);
  }
  addPassword(secrets, server.endpoint);
  add(secrets, server.oauth2?.clientSecret, server.oauth2?.tls.keyPem);
  for (const { url, connectHeaders } of [server.proxy, packages.proxy]) {
    if (url !== undefined) addPassword(secrets, url);
    addHeaders(secrets, connectHeaders);
  }
  for (const mirror of packages.mirrors) {
    addPassword(secrets, mirror);
    // Storage in a cloud takes a signature there.
    add(secrets, URL.parse(mirror)?.search.slice(1));
  }
  const { logs, metrics, traces } = telemetry;
  for (const { exporter } of [...logs.processors, ...metrics.readers, ...traces.processors]) {
    addExporter(secrets, exporter);
  }
  return secrets;
}

function addHeaders(secrets: Set<string>, headers: Headers): void {
  for (const value of Object.values(headers).flat()) addHeader(secrets, value);
}

/** `Bearer TOKEN`: the token alone is as secret as both. */
function addHeader(secrets: Set<string>, value: string): void {
  add(secrets, value, /^\S+\s+(\S+)$/.exec(value)?.[1]);
}

function addExporter(secrets: Set<string>, exporter: ExporterSettings | PrometheusSettings): void {
  if (exporter.kind !== "otlp") return;
  for (const value of Object.values(exporter.headers)) addHeader(secrets, value);
  if (exporter.endpoint !== undefined) addPassword(secrets, exporter.endpoint);
}

/** As written and as node:url encodes it, which is how it would show up elsewhere. */
function addPassword(secrets: Set<string>, url: string): void {
  const [, written] = /^[^/]*\/\/[^/@]*:([^/@]*)@/.exec(url) ?? [];
  add(secrets, written, URL.parse(url)?.password);
}

function add(secrets: Set<string>, ...texts: readonly (string | undefined)[]): void {
  for (const text of texts) if (text !== undefined && text !== "") secrets.add(text);
}
