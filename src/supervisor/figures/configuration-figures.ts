import { toHex } from "../../foundation/hex.ts";
import type { Figures } from "../../opamp/figures.ts";
import { type RemoteConfigStatus, RemoteConfigStatuses } from "../../opamp/messages.ts";
import type { ConfigurationBook } from "../change/configuration-book.ts";
import type { Collector } from "../collector/collector.ts";

/** Bounds of what a message carries. */
const maxQuarantined = 20;
const maxReason = 1_000;

/** Of remote configurations; those of packages and local files have other names. */
const remoteHash = /^[0-9a-f]+$/;

/** What really runs; undefined while that is about to change, for then no answer would be true. */
export function configurationFigures(
  { current, onProbation, quarantined }: Pick<ConfigurationBook, "current" | "onProbation" | "quarantined">,
  { state }: Pick<Collector, "state">,
  status: RemoteConfigStatus | undefined,
): Figures["configuration"] | undefined {
  const apart = {
    refused: refusedIn(status),
    quarantined: quarantined
      .filter(({ hash, cause }) => cause !== "local" && remoteHash.test(hash))
      .slice(-maxQuarantined)
      .reverse()
      .map(({ hash, at }) => ({ hash, at })),
  };
  if (!("process" in state) || !("launch" in state)) {
    if (state.t === "stopping") return undefined;
    return { remote_hash: null, content_hash: null, role: "stopped", on_probation: false, ...apart };
  }
  if (current === null || state.launch.mark !== current.id) return undefined;
  return {
    remote_hash: current.remoteHash,
    content_hash: current.contentHash,
    role: current.role,
    on_probation: onProbation,
    ...apart,
  };
}

function refusedIn(status: RemoteConfigStatus | undefined): Figures["configuration"]["refused"] {
  if (status?.status !== RemoteConfigStatuses.RemoteConfigStatuses_FAILED) return null;
  return { hash: toHex(status.lastRemoteConfigHash), reason: status.errorMessage.slice(0, maxReason) };
}
