import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { silentLogger } from "../../../../../src/foundation/logger.ts";
import { ReportedState } from "../../../../../src/opamp/agent/reported-state.ts";
import {
  type RemoteConfigStatus,
  RemoteConfigStatuses,
  RemoteConfigStatusSchema,
} from "../../../../../src/opamp/messages.ts";
import { ConfigurationBook, emptyBook } from "../../../../../src/supervisor/change/configuration-book.ts";
import { Journal } from "../../../../../src/supervisor/change/journal.ts";
import { Road } from "../../../../../src/supervisor/change/road.ts";
import { clearQuarantine } from "../../../../../src/supervisor/operations/control/quarantine-clear.ts";
import { Verdicts } from "../../../../../src/supervisor/report/verdicts.ts";
import { CollectorRig, launchOf, settled } from "../../../../support/collector-rig.ts";

const { RemoteConfigStatuses_FAILED: failed, RemoteConfigStatuses_APPLIED: applied } = RemoteConfigStatuses;

function statusOf(hash: string, status = failed): RemoteConfigStatus {
  const lastRemoteConfigHash = new Uint8Array(Buffer.from(hash, "hex"));
  return create(RemoteConfigStatusSchema, { status, lastRemoteConfigHash, errorMessage: "it died" });
}

interface Options {
  reported?: RemoteConfigStatus;
  quarantined?: string[];
  /** Content hash of what this host's own files merge to now. */
  present?: string | undefined;
  isStopped?: boolean;
}

function host({
  reported,
  quarantined = ["aaaaaa", "bbbbbb"],
  present = "runs",
  isStopped = false,
}: Options = {}) {
  const rig = new CollectorRig();
  const current = {
    ...{ id: isStopped ? null : "a", contentHash: "runs", remoteHash: null, packages: null },
    ...({ role: "desired", cause: "local" } as const),
  };
  const content = {
    ...emptyBook,
    current,
    quarantined: quarantined.map((hash) => ({ hash, reason: "it died", at: 1 })),
  };
  const done: string[] = [];
  const book = new ConfigurationBook(content, async () => true);
  const state = new ReportedState({ instanceUid: new Uint8Array(16).fill(1), capabilities: 0n });
  if (reported !== undefined) state.set("remoteConfigStatus", reported);
  const verdicts = new Verdicts({
    state,
    book,
    save: async ({ status }) => done.push(`saved status ${status}`),
    changed: () => undefined,
  });
  const road = new Road({
    journal: new Journal({ save: async () => undefined }),
    logger: silentLogger,
    isOwnFault: () => false,
  });
  const deps = {
    book,
    road,
    verdicts,
    collector: rig.collector,
    intake: {
      presentContentHash: async () => {
        if (present === undefined) throw new Error("local.yaml is no YAML");
        return present;
      },
      changeLocal: () => done.push("local"),
    },
    packages: {
      forgive: async () => {
        done.push("packages");
      },
    },
    wayBack: {
      go: async () => {
        done.push("way back");
        return "reverted" as const;
      },
    },
  };
  const hashes = () => book.quarantined.map(({ hash }) => hash);
  return { rig, road, deps, done, hashes, status: () => state.get("remoteConfigStatus") };
}

const one = (hash: string) => ({ t: "hash", hash }) as const;

describe("clearQuarantine", () => {
  it("shows the server that its last offer is untried, and lets other entries be", async () => {
    const { deps, done, hashes, status } = host({ reported: statusOf("aaaaaa") });
    expect(await clearQuarantine(one("aaaaaa"), deps)).toEqual({
      cleared: ["aaaaaa"],
      next: ["asked-server"],
    });
    expect(hashes()).toEqual(["bbbbbb"]);
    expect(status()).toEqual(create(RemoteConfigStatusSchema));
    expect(done).toEqual(["saved status 0"]);
  });

  it("leaves the status of another offer, and one that is not FAILED", async () => {
    const other = host({ reported: statusOf("aaaaaa") });
    expect(await clearQuarantine(one("bbbbbb"), other.deps)).toEqual({ cleared: ["bbbbbb"], next: [] });
    expect(other.status()).toMatchObject({ status: failed });
    const well = host({ reported: statusOf("aaaaaa", applied) });
    expect(await clearQuarantine({ t: "all" }, well.deps)).toMatchObject({ next: [] });
    expect(well.status()).toMatchObject({ status: applied });
  });

  it("does so for an offer that came with packages", async () => {
    const quarantined = ["aaaaaa+packages:123456"];
    const { deps, done, status } = host({ reported: statusOf("aaaaaa"), quarantined });
    const next = ["asked-server", "retrying"];
    expect(await clearQuarantine(one("123456"), deps)).toEqual({ cleared: quarantined, next });
    expect(status()?.status).toBe(0);
    expect(done).toContain("packages");
  });

  it("tries this host's own configuration again when that is another than what runs", async () => {
    const { deps, done } = host({ present: "aaaaaa" });
    expect(await clearQuarantine(one("aaaaaa"), deps)).toEqual({ cleared: ["aaaaaa"], next: ["retrying"] });
    expect(done).toEqual(["local"]);
  });

  it.each([
    ["it runs", { present: "runs" }],
    ["it is still quarantined itself", { present: "bbbbbb" }],
    ["it cannot be merged", { present: undefined }],
    ["the order is to run none", { present: "aaaaaa", isStopped: true }],
  ])("does not where %s", async (_why, options) => {
    const { deps, done } = host(options);
    expect(await clearQuarantine(one("aaaaaa"), deps)).toEqual({ cleared: ["aaaaaa"], next: [] });
    expect(done).toEqual([]);
  });

  it("has a held host try its way back at once", async () => {
    const { rig, road, deps, done } = host({ present: "aaaaaa" });
    rig.collector.hold(launchOf("a"), 1_000, "nothing starts");
    expect(await clearQuarantine({ t: "all" }, deps)).toMatchObject({ next: ["retrying"] });
    await road.idle();
    expect(done).toEqual(["way back"]);
  });

  it("waits for what is under way, and judges by what that left", async () => {
    const { road, deps, hashes } = host();
    const underWay = Promise.withResolvers<void>();
    road.urgent(async () => {
      await underWay.promise;
      await deps.book.clearQuarantine(new Set(["aaaaaa"]));
    });
    const gone = clearQuarantine(one("aaaaaa"), deps);
    const there = clearQuarantine(one("bbbbbb"), deps);
    await settled();
    expect(hashes()).toEqual(["aaaaaa", "bbbbbb"]);
    underWay.resolve();
    await expect(gone).rejects.toThrow("nothing is quarantined under aaaaaa");
    expect(await there).toMatchObject({ cleared: ["bbbbbb"] });
    expect(hashes()).toEqual([]);
  });

  it("refuses at once what is not there", async () => {
    const { road, deps } = host();
    const underWay = Promise.withResolvers<void>();
    road.urgent(() => underWay.promise);
    await expect(clearQuarantine(one("cccccc"), deps)).rejects.toThrow("nothing is quarantined");
    underWay.resolve();
    await road.idle();
  });
});
