import { create } from "@bufbuild/protobuf";
import {
  type ConnectionSettingsOffers,
  ConnectionSettingsOffersSchema,
  type TelemetryConnectionSettings,
} from "../../opamp/messages.ts";
import { mergeOtherConnections } from "../connection/collector/other-connections.ts";

/**
 * Own telemetry and other connections after an offer: a signal that is not in it keeps what it has (AN2), and one that is in it without
 * TLS settings keeps those (AN11). Headers and the certificate were meant for the former endpoint.
 */
export function mergeOwnTelemetry(
  before: ConnectionSettingsOffers | undefined,
  offered: ConnectionSettingsOffers,
): ConnectionSettingsOffers {
  return {
    ...(before ?? create(ConnectionSettingsOffersSchema)),
    hash: offered.hash,
    ownMetrics: mergeSignal(before?.ownMetrics, offered.ownMetrics),
    ownTraces: mergeSignal(before?.ownTraces, offered.ownTraces),
    ownLogs: mergeSignal(before?.ownLogs, offered.ownLogs),
    otherConnections: mergeOtherConnections(before?.otherConnections ?? {}, offered.otherConnections),
  };
}

function mergeSignal(
  before: TelemetryConnectionSettings | undefined,
  offered: TelemetryConnectionSettings | undefined,
): TelemetryConnectionSettings | undefined {
  if (offered === undefined) return before;
  return offered.tls === undefined && before?.tls !== undefined ? { ...offered, tls: before.tls } : offered;
}
