import { create } from "@bufbuild/protobuf";
import { type ConnectionSettingsOffers, ConnectionSettingsOffersSchema } from "../../opamp/messages.ts";

/** Own telemetry after an offer: a signal that is not in it keeps what it has (AN2). */
export function mergeOwnTelemetry(
  before: ConnectionSettingsOffers | undefined,
  offered: ConnectionSettingsOffers,
): ConnectionSettingsOffers {
  return {
    ...(before ?? create(ConnectionSettingsOffersSchema)),
    hash: offered.hash,
    ownMetrics: offered.ownMetrics ?? before?.ownMetrics,
    ownTraces: offered.ownTraces ?? before?.ownTraces,
    ownLogs: offered.ownLogs ?? before?.ownLogs,
  };
}
