import { rootCertificates, type SecureVersion } from "node:tls";
import type { Clock } from "../../foundation/clock.ts";
import type { Logger } from "../../foundation/logger.ts";
import { type AgentSessionSettings, type ClientTls, presentTls } from "../../opamp/agent/settings.ts";
import { defaultHeartbeatIntervalMs } from "../../opamp/limits.ts";
import { proxyFor } from "../settings/proxy-for.ts";
import type { SupervisorSettings } from "../settings/supervisor-settings.ts";
import type { Overrides } from "./connection-record.ts";
import { Credentials } from "./credentials/credentials.ts";
import { reloadingTls } from "./reloading-tls.ts";

/** Makes the settings of a session out of supervisor.yaml and what offers have set over it. */
export type MakeSessionSettings = (overrides: Overrides) => AgentSessionSettings;

/**
 * How the settings reach the OpAMP server. Making them of overrides throws when they lead to TLS whose files
 * cannot be read.
 * @throws when TLS material that supervisor.yaml itself needs cannot be read; the message names the key.
 */
export function sessionSettings(
  settings: SupervisorSettings,
  deps: { clock: Clock; logger: Logger; credentials?: Credentials; mayWait?: boolean },
): MakeSessionSettings {
  const { server } = settings;
  const { credentials = new Credentials(server, { ...deps, changed: () => undefined }) } = deps;
  let ofFile: (() => ClientTls) | undefined;
  const tls = () => {
    ofFile ??= reloadingTls(server.tls, deps);
    return ofFile;
  };
  if (isSecure(new URL(server.endpoint))) tls();
  return (overrides) => withOverrides(baseSettings(settings, credentials), overrides, tls);
}

export const isSecure = ({ protocol }: URL) => protocol === "wss:" || protocol === "https:";

/** The headers of supervisor.yaml, or those that the server has offered, with what the host's own sources say. */
type MakeHeaders = (offered: Overrides["headers"]) => Promise<Record<string, string>>;

interface BaseSettings extends Omit<AgentSessionSettings, "headers"> {
  headers: MakeHeaders;
}

function baseSettings({ server, capabilities }: SupervisorSettings, credentials: Credentials): BaseSettings {
  const headers = Object.fromEntries(
    Object.entries(server.headers).map(([name, values]) => [name, values.join(", ")]),
  );
  const throughProxy = proxyFor(server.proxy);
  return {
    endpoint: new URL(server.endpoint),
    headers: (offered) => credentials.headers(headers, offered),
    onUnauthorized: () => credentials.refuse(),
    heartbeatIntervalMs: capabilities.reportsHeartbeat ? defaultHeartbeatIntervalMs : 0,
    maxMessageBytes: server.maxMessageBytes,
    allowedRedirectHosts: server.allowedRedirectHosts,
    ...(throughProxy && { proxyFor: throughProxy }),
  };
}

function withOverrides(
  base: BaseSettings,
  overrides: Overrides,
  tlsOfFile: () => () => ClientTls,
): AgentSessionSettings {
  const endpoint = overrides.endpoint === undefined ? base.endpoint : new URL(overrides.endpoint);
  const { headers, proxy, heartbeatSeconds } = overrides;
  const heartbeatIntervalMs =
    heartbeatSeconds === undefined || base.heartbeatIntervalMs === 0
      ? base.heartbeatIntervalMs
      : heartbeatSeconds * 1_000;
  const tls = isSecure(endpoint) ? tlsOfFile() : undefined;
  return {
    ...base,
    endpoint,
    heartbeatIntervalMs,
    headers: () => base.headers(headers),
    ...(proxy && { proxyFor: () => ({ ...proxy, url: new URL(proxy.url) }) }),
    ...(tls && { tls: () => tlsWithOverrides(tls(), overrides) }),
  };
}

/**
 * Pins and the expected name of supervisor.yaml hold wherever an offer leads, and no offer goes below its
 * lowest version.
 */
function tlsWithOverrides(base: ClientTls, { certificate, tls }: Overrides): ClientTls {
  const ca = tls?.ca ?? base.ca;
  const given = ca === undefined ? undefined : [ca].flat();
  return {
    ...base,
    ...(certificate && { cert: certificate.cert, key: certificate.key }),
    ...(tls && {
      rejectUnauthorized: !tls.insecureSkipVerify,
      ...(given && { ca: tls.includeSystemCas ? [...given, ...rootCertificates] : given }),
      ...(tls.minVersion && { minVersion: higher(tls.minVersion, base.minVersion) }),
      ...(tls.maxVersion && { maxVersion: tls.maxVersion }),
      ...(tls.cipherSuites.length > 0 && { ciphers: tls.cipherSuites.join(":") }),
    }),
  };
}

function higher(a: SecureVersion, b: SecureVersion | undefined): SecureVersion {
  return b !== undefined && b > a ? b : a;
}

/** Whether a session takes any certificate of its server. */
export function skipsVerification(settings: AgentSessionSettings): boolean {
  return presentTls(settings)?.rejectUnauthorized === false;
}
