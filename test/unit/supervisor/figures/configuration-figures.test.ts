import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { RemoteConfigStatuses, RemoteConfigStatusSchema } from "../../../../src/opamp/messages.ts";
import type { Reference } from "../../../../src/supervisor/change/configuration-book.ts";
import type { CollectorState } from "../../../../src/supervisor/collector/collector-state.ts";
import { configurationFigures } from "../../../../src/supervisor/figures/configuration-figures.ts";

const current: Reference = {
  id: "aa",
  contentHash: "c0ffee",
  remoteHash: "0a0b",
  role: "last-known-good",
  cause: "remote",
  packages: null,
};
const book = { current, onProbation: false, quarantined: [] };
const running = (mark: string) => ({
  state: { t: "running", launch: { mark }, process: {} } as CollectorState,
});
const stopped = { state: { t: "stopped" } as CollectorState };

describe("figures of the configuration", () => {
  it("are of what runs, and the refused one stands apart", () => {
    const status = create(RemoteConfigStatusSchema, {
      status: RemoteConfigStatuses.RemoteConfigStatuses_FAILED,
      lastRemoteConfigHash: new Uint8Array([12, 13]),
      errorMessage: "why".repeat(1_000),
    });
    expect(configurationFigures(book, running("aa"), status)).toEqual({
      remote_hash: "0a0b",
      content_hash: "c0ffee",
      role: "last-known-good",
      on_probation: false,
      refused: { hash: "0c0d", reason: "why".repeat(1_000).slice(0, 1_000) },
      quarantined: [],
    });
  });

  it("are none while another one is being proven", () => {
    expect(configurationFigures(book, running("bb"), undefined)).toBeUndefined();
    expect(configurationFigures({ ...book, current: null }, running("bb"), undefined)).toBeUndefined();
  });

  it("are of nothing where nothing runs", () => {
    expect(configurationFigures(book, stopped, undefined)).toMatchObject({
      remote_hash: null,
      content_hash: null,
      role: "stopped",
      refused: null,
    });
  });

  it("name the remote configurations in quarantine, newest first, and nothing else there", () => {
    const entry = (hash: string, at: number, cause: "remote" | "local" = "remote") => ({
      hash,
      at,
      cause,
      reason: "",
    });
    const quarantined = [
      entry("01", 1),
      entry("packages:x", 2),
      entry("02", 3, "local"),
      ...Array.from({ length: 25 }, (_, at) => entry(`ff${at}`, at + 10)),
    ];
    const figures = configurationFigures({ ...book, quarantined }, running("aa"), undefined);
    expect(figures?.quarantined).toHaveLength(20);
    expect(figures?.quarantined[0]).toEqual({ hash: "ff24", at: 34 });
    const few = configurationFigures(
      { ...book, quarantined: quarantined.slice(0, 3) },
      running("aa"),
      undefined,
    );
    expect(few?.quarantined).toEqual([{ hash: "01", at: 1 }]);
  });
});
