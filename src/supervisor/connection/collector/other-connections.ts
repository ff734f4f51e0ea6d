import type { ConnectionSettingsOffers, OtherConnectionSettings } from "../../../opamp/messages.ts";
import { isSecretKey } from "../../configuration/redact.ts";
import { offeredHeaders } from "../offered-headers.ts";
import { offeredProxy } from "../offered-proxy.ts";
import { UnusableOfferError } from "../unusable-offer.ts";
import { type JudgeOptions, judgeCertificate, judgeTls, naming } from "./judge.ts";

type OtherConnections = ConnectionSettingsOffers["otherConnections"];

/** Other connections after an offer: only what it sets changes, each connection and each field on its own (AN17, D5). */
export function mergeOtherConnections(before: OtherConnections, offered: OtherConnections): OtherConnections {
  const merged = Object.entries(offered).map(
    ([name, settings]) => [name, merge(before[name], settings)] as const,
  );
  return { ...before, ...Object.fromEntries(merged) };
}

function merge(
  before: OtherConnectionSettings | undefined,
  offered: OtherConnectionSettings,
): OtherConnectionSettings {
  if (before === undefined) return offered;
  const { destinationEndpoint, headers, certificate, otherSettings, tls, proxy } = offered;
  return {
    ...before,
    destinationEndpoint: destinationEndpoint === "" ? before.destinationEndpoint : destinationEndpoint,
    headers: headers ?? before.headers,
    certificate: certificate ?? before.certificate,
    otherSettings: { ...before.otherSettings, ...otherSettings },
    tls: tls ?? before.tls,
    proxy: proxy ?? before.proxy,
  };
}

/**
 * Finds out what is wrong with other connections. What they lead to is for those to say who use them, so that nobody is
 * asked whether it can be reached.
 * @throws UnusableOfferError
 */
export function judgeOtherConnections(
  before: OtherConnections,
  wanted: OtherConnections,
  { now }: Pick<JudgeOptions, "now">,
): void {
  for (const [name, settings] of Object.entries(wanted)) {
    naming(`other connection ${JSON.stringify(name)}`, () => judgeOne(before[name], settings, now));
  }
}

function judgeOne(
  before: OtherConnectionSettings | undefined,
  settings: OtherConnectionSettings,
  now: number,
): void {
  const { destinationEndpoint, headers, certificate, tls, proxy } = settings;
  if (isSecure(before?.destinationEndpoint) && isPlain(destinationEndpoint)) {
    throw new UnusableOfferError("it would lead from TLS to plain text");
  }
  offeredHeaders(headers?.headers ?? []);
  judgeCertificate(certificate, now);
  if (tls !== undefined) judgeTls(tls);
  if (proxy !== undefined && Object.keys(offeredProxy(proxy).connectHeaders).length > 0) {
    throw new UnusableOfferError("it has headers for its proxy, which the Collector has no setting for");
  }
}

const isSecure = (endpoint = "") => /^(?:https|wss|grpcs):/i.test(endpoint);
const isPlain = (endpoint: string) => /^(?:http|ws|grpc):/i.test(endpoint);

/** What must not be told of other connections, wherever the configuration uses it. */
export function connectionSecrets(offers: ConnectionSettingsOffers | undefined): string[] {
  return Object.values(offers?.otherConnections ?? {}).flatMap(({ headers, otherSettings }) => [
    ...(headers?.headers ?? []).map(({ value }) => value),
    ...Object.entries(otherSettings).flatMap(([key, value]) => (isSecretKey(key, "") ? [value] : [])),
  ]);
}
