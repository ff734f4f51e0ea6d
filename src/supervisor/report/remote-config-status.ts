import { create } from "@bufbuild/protobuf";
import {
  type AgentRemoteConfig,
  type RemoteConfigStatus,
  RemoteConfigStatuses,
  RemoteConfigStatusSchema,
} from "../../opamp/messages.ts";
import type { Verdict } from "../change/workshop.ts";

/** The verdict on a remote configuration as the server is told it (AC3, AC4). */
export function toRemoteConfigStatus(
  { configHash }: Pick<AgentRemoteConfig, "configHash">,
  verdict: Verdict,
): RemoteConfigStatus {
  const { RemoteConfigStatuses_APPLIED, RemoteConfigStatuses_APPLYING, RemoteConfigStatuses_FAILED } =
    RemoteConfigStatuses;
  const statuses = {
    applied: RemoteConfigStatuses_APPLIED,
    applying: RemoteConfigStatuses_APPLYING,
    failed: RemoteConfigStatuses_FAILED,
  };
  return create(RemoteConfigStatusSchema, {
    lastRemoteConfigHash: configHash,
    status: statuses[verdict.t],
    errorMessage: verdict.t === "failed" ? verdict.reason : "",
  });
}
