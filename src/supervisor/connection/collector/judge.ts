import { isLoopback } from "../../../foundation/loopback.ts";
import type {
  ConnectionSettingsOffers,
  TelemetryConnectionSettings,
  TLSConnectionSettings,
} from "../../../opamp/messages.ts";
import { offeredHeaders } from "../offered-headers.ts";
import { tlsVersion } from "../offered-settings.ts";
import { checkCertificate, parseChain } from "../tls-material.ts";
import { UnusableOfferError } from "../unusable-offer.ts";
import { type Destination, pemPair } from "./destination.ts";

export interface JudgeOptions {
  /** `agent.own_telemetry.allow_http`. */
  readonly allowHttp: boolean;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
}

/** The signals of own telemetry, as an offer and as a person calls them. */
export const signals = [
  ["ownMetrics", "metrics"],
  ["ownTraces", "traces"],
  ["ownLogs", "logs"],
] as const;

/**
 * Finds out without a connection what is wrong with an offer of own telemetry. What the Collector has no setting
 * for is refused, and not left out as if it had been done.
 * @throws UnusableOfferError
 */
export function judgeTelemetry(offers: ConnectionSettingsOffers, options: JudgeOptions): void {
  for (const [field, name] of signals) {
    const settings = offers[field];
    if (settings === undefined || settings.destinationEndpoint === "") continue;
    naming(`own ${name}`, () => judgeSignal(settings, options));
  }
}

/** Runs `judge`; what it finds wrong is told of `what`. */
export function naming(what: string, judge: () => void): void {
  try {
    judge();
  } catch (error) {
    if (!(error instanceof UnusableOfferError)) throw error;
    throw new UnusableOfferError(`${what}: ${error.message}`, { cause: error.cause });
  }
}

function judgeSignal(settings: TelemetryConnectionSettings, { allowHttp, now }: JudgeOptions): void {
  const { destinationEndpoint, headers, certificate, tls, proxy } = settings;
  const endpoint = URL.parse(destinationEndpoint);
  if (endpoint === null || !/^https?:$/.test(endpoint.protocol)) {
    throw new UnusableOfferError("its endpoint is not an http or https URL");
  }
  if (endpoint.username !== "" || endpoint.password !== "" || endpoint.search !== "") {
    throw new UnusableOfferError(
      "its endpoint has a user or a query, which the Collector does not send; use headers",
    );
  }
  if (endpoint.protocol === "http:" && !allowHttp && !isLoopback(endpoint.hostname)) {
    throw new UnusableOfferError(
      "its endpoint is http, so that it would cross the network unprotected; " +
        "only agent.own_telemetry.allow_http of supervisor.yaml allows that",
    );
  }
  offeredHeaders(headers?.headers ?? []);
  judgeCertificate(certificate, now);
  if (tls !== undefined) {
    judgeTls(tls);
    const cannot = "which the Collector has no setting for in its own telemetry";
    if (tlsVersion(tls.minVersion) === "TLSv1.3") {
      throw new UnusableOfferError(`it asks for TLS 1.3 or higher, ${cannot}`);
    }
    if (tlsVersion(tls.maxVersion) === "TLSv1.2") {
      throw new UnusableOfferError(`it asks for TLS 1.2 or lower, ${cannot}`);
    }
    if (tls.cipherSuites.length > 0) throw new UnusableOfferError(`it names cipher suites, ${cannot}`);
  }
  if ((proxy?.url ?? "") !== "") {
    throw new UnusableOfferError(
      "it names a proxy, which the Collector has no setting for in its own telemetry; set HTTPS_PROXY in agent.env",
    );
  }
}

/**
 * @throws UnusableOfferError
 */
export function judgeTls({ insecureSkipVerify, caPemContents }: TLSConnectionSettings): void {
  if (insecureSkipVerify) throw new UnusableOfferError("it would turn the verification of certificates off");
  if (caPemContents !== "") parseChain(caPemContents, "authority");
}

/**
 * @throws UnusableOfferError
 */
export function judgeCertificate(
  certificate: { cert: Uint8Array; privateKey: Uint8Array } | undefined,
  now: number,
): void {
  if (certificate === undefined) return;
  const pair: Destination["certificate"] = pemPair(certificate);
  if (pair === undefined) {
    if (certificate.privateKey.length === 0) return;
    throw new UnusableOfferError("it has a private key without a certificate");
  }
  if (pair.key === "") throw new UnusableOfferError("its certificate comes without a private key");
  checkCertificate(pair, now);
}
