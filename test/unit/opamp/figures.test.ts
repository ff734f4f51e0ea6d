import { describe, expect, it } from "vitest";
import { decodeFigures, encodeFigures, type Figures, figuresType } from "../../../src/opamp/figures.ts";

const figures: Figures = {
  at: 1_790_000_000_000,
  configuration: {
    remote_hash: "0a0b",
    content_hash: "c0ffee",
    role: "last-known-good",
    on_probation: false,
    refused: { hash: "0c0d", reason: "the Collector ended" },
    quarantined: [{ hash: "0c0d", at: 1_789_999_999_000 }],
  },
  process: { id: "boot/1", started_at: 1_789_999_000_000, cpu_seconds: 1.25, rss_bytes: 80_000_000 },
  since_supervisor: {
    id: "a",
    started_at: 1_789_998_000_000,
    restarts: { exit: 1, change: 2 },
    error_logs: 3,
  },
  telemetry: { traces: { accepted: 10, sent: 8 }, queue: { size: 2, capacity: 1000 } },
};
const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

describe("figures of a rollout", () => {
  it("come back as they were written", () => {
    expect(decodeFigures({ type: figuresType, data: encodeFigures(figures) })).toEqual(figures);
  });

  it("are read by one who knows fewer keys", () => {
    const data = text({ ...figures, novel: true, telemetry: { ...figures.telemetry, novel: 1 } });
    expect(decodeFigures({ type: figuresType, data })).toEqual(figures);
  });

  it.each([
    ["another type", "other", encodeFigures(figures)],
    ["what is no JSON", figuresType, new TextEncoder().encode("{")],
    ["what is no UTF-8", figuresType, new Uint8Array([0x22, 0xff, 0x22])],
    ["a count below 0", figuresType, text({ ...figures, telemetry: { goroutines: -1 } })],
    [
      "a hash that is none",
      figuresType,
      text({ ...figures, configuration: { ...figures.configuration, remote_hash: "<b>" } }),
    ],
    ["no configuration", figuresType, text({ ...figures, configuration: undefined })],
    ["64 KiB and more", figuresType, text({ ...figures, pad: "x".repeat(64 * 1024) })],
  ])("are not read from %s", (_what, type, data) => {
    expect(decodeFigures({ type, data })).toBeUndefined();
  });
});
