import type { Headers, SupervisorSettings } from "./supervisor-settings.ts";

/** The texts of a settings file that are secret by what they are, wherever they were written. */
export function secretsOf({ server, telemetry, healthcheck }: SupervisorSettings): ReadonlySet<string> {
  const secrets = new Set<string>();
  addHeaders(secrets, server.headers);
  addHeaders(secrets, healthcheck.responseHeaders);
  for (const tls of [server.tls, healthcheck.tls]) {
    add(secrets, tls?.keyPem, tls?.tpm.auth, tls?.tpm.ownerAuth);
  }
  // As written and as node:url encodes it, which is how it would show up elsewhere.
  const [, written] = /^[^/]*\/\/[^/@]*:([^/@]*)@/.exec(server.endpoint) ?? [];
  add(secrets, written, new URL(server.endpoint).password);
  addHeadersIn(secrets, [telemetry.logs.processors, telemetry.metrics.readers, telemetry.traces.processors]);
  return secrets;
}

function addHeaders(secrets: Set<string>, headers: Headers): void {
  for (const value of Object.values(headers).flat()) addHeader(secrets, value);
}

/** `Bearer TOKEN`: the token alone is as secret as both. */
function addHeader(secrets: Set<string>, value: string): void {
  add(secrets, value, /^\S+\s+(\S+)$/.exec(value)?.[1]);
}

/** An exporter's headers are a map, or a list of `{name, value}`; `headers_list` is `name=value,…`. */
function addHeadersIn(secrets: Set<string>, tree: unknown): void {
  if (typeof tree !== "object" || tree === null) return;
  for (const [key, child] of Object.entries(tree)) {
    if (key === "headers" || key === "headers_list") addLeaves(secrets, child);
    else addHeadersIn(secrets, child);
  }
}

function addLeaves(secrets: Set<string>, tree: unknown): void {
  if (typeof tree === "string") {
    for (const part of tree.split(",")) addHeader(secrets, part.slice(part.indexOf("=") + 1).trim());
    addHeader(secrets, tree);
  }
  if (typeof tree !== "object" || tree === null) return;
  for (const [key, child] of Object.entries(tree)) if (key !== "name") addLeaves(secrets, child);
}

function add(secrets: Set<string>, ...texts: readonly (string | undefined)[]): void {
  for (const text of texts) if (text !== undefined && text !== "") secrets.add(text);
}
