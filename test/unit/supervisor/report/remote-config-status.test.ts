import { describe, expect, it } from "vitest";
import { RemoteConfigStatuses } from "../../../../src/opamp/messages.ts";
import type { Verdict } from "../../../../src/supervisor/change/workshop.ts";
import { toRemoteConfigStatus } from "../../../../src/supervisor/report/remote-config-status.ts";

const configHash = new Uint8Array([1, 2, 3]);

describe("toRemoteConfigStatus", () => {
  it.each<[Verdict, RemoteConfigStatuses, string]>([
    [{ t: "applying" }, RemoteConfigStatuses.RemoteConfigStatuses_APPLYING, ""],
    [{ t: "applied" }, RemoteConfigStatuses.RemoteConfigStatuses_APPLIED, ""],
    [{ t: "failed", reason: "it died" }, RemoteConfigStatuses.RemoteConfigStatuses_FAILED, "it died"],
  ])(
    "AC3, AC4: %j carries the hash of the offer, and a message only when it failed",
    (verdict, status, message) => {
      const { lastRemoteConfigHash, ...rest } = toRemoteConfigStatus({ configHash }, verdict);
      expect(lastRemoteConfigHash).toEqual(configHash);
      expect(rest).toMatchObject({ status, errorMessage: message });
    },
  );
});
