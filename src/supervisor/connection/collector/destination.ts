import { getCACertificates } from "node:tls";
import type {
  ConnectionSettingsOffers,
  TelemetryConnectionSettings,
  TLSConnectionSettings,
} from "../../../opamp/messages.ts";
import type { CollectorCertificateUse } from "../certificate/certificate-watch.ts";

/** Where one signal of own telemetry is sent, as an offer has it. Header values and the key are secrets. */
export interface Destination {
  /** OTLP over HTTP with protobuf, the whole URL of the signal (AN15). */
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  /** PEM. Undefined: the authorities of the operating system. */
  readonly ca: string | undefined;
  /** PEM. */
  readonly certificate: { readonly cert: string; readonly key: string } | undefined;
}

/** Every PEM text that the configuration of the Collector names as a file. */
export function pemsOf(offers: ConnectionSettingsOffers | undefined): string[] {
  const destinations = [offers?.ownMetrics, offers?.ownTraces, offers?.ownLogs].map(destinationOf);
  const others = Object.values(offers?.otherConnections ?? {}).map(({ tls, certificate }) => ({
    ca: authorities(tls),
    certificate: pemPair(certificate),
  }));
  return [...destinations, ...others].flatMap((each) =>
    [each?.ca, each?.certificate?.cert, each?.certificate?.key].filter((pem) => pem !== undefined),
  );
}

/** The client certificates in PEM that the Collector is given, by the field of the offer. */
export function certificatesOf(
  offers: ConnectionSettingsOffers | undefined,
): Map<CollectorCertificateUse, string> {
  const { ownMetrics, ownTraces, ownLogs, otherConnections = {} } = offers ?? {};
  const given: [CollectorCertificateUse, string | undefined][] = [
    ["own_metrics", destinationOf(ownMetrics)?.certificate?.cert],
    ["own_traces", destinationOf(ownTraces)?.certificate?.cert],
    ["own_logs", destinationOf(ownLogs)?.certificate?.cert],
    ...Object.entries(otherConnections).map(
      ([name, { certificate }]): [CollectorCertificateUse, string | undefined] => [
        `other_connections.${name}`,
        pemPair(certificate)?.cert,
      ],
    ),
  ];
  return new Map(given.flatMap(([use, pem]) => (pem === undefined ? [] : [[use, pem]])));
}

/** Undefined for a signal that is not sent: not offered, or with an empty endpoint. */
export function destinationOf(settings: TelemetryConnectionSettings | undefined): Destination | undefined {
  if (settings === undefined || settings.destinationEndpoint === "") return undefined;
  const { destinationEndpoint, headers, certificate, tls } = settings;
  return {
    endpoint: destinationEndpoint,
    headers: Object.fromEntries((headers?.headers ?? []).map(({ key, value }) => [key, value])),
    ca: authorities(tls),
    certificate: pemPair(certificate),
  };
}

/** The authorities of offered TLS settings, in PEM; undefined for those of the operating system. */
export function authorities(tls: TLSConnectionSettings | undefined): string | undefined {
  if (tls === undefined || tls.caPemContents === "") return undefined;
  const { caPemContents, includeSystemCaCertsPool } = tls;
  return includeSystemCaCertsPool
    ? [caPemContents.trimEnd(), ...getCACertificates("system"), ""].join("\n")
    : caPemContents;
}

/** A client certificate that can be used: an authority that comes with it is never trusted (AN14). */
export function pemPair(
  certificate: { cert: Uint8Array; privateKey: Uint8Array } | undefined,
): Destination["certificate"] {
  if (certificate === undefined || certificate.cert.length === 0) return undefined;
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { cert: text(certificate.cert), key: text(certificate.privateKey) };
}
