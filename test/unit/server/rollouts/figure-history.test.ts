import { describe, expect, it } from "vitest";
import type { Figures } from "../../../../src/opamp/figures.ts";
import { FigureHistory } from "../../../../src/server/rollouts/figure-history.ts";

interface Told {
  process?: string;
  cpu?: number;
  sent?: number;
  failed?: number;
  errors?: number;
  requests?: number;
  seconds?: number;
}

function figures(at: number, told: Told = {}): Figures {
  const { process = "p1", cpu = 0, sent = 0, failed = 0, errors = 0, requests = 0, seconds = 0 } = told;
  return {
    at,
    configuration: {
      remote_hash: "ab",
      content_hash: "cd",
      role: "desired",
      on_probation: false,
      refused: null,
      quarantined: [],
    },
    process: { id: process, started_at: 0, cpu_seconds: cpu, rss_bytes: 1_000 },
    since_supervisor: { id: "s1", started_at: 0, restarts: {}, error_logs: errors },
    telemetry: {
      logs: { sent, send_failed: failed },
      send_duration: { count: requests, seconds },
    },
  };
}

function historyOf(...told: [heardAt: number, figures: Figures][]): FigureHistory {
  const history = new FigureHistory();
  for (const [heardAt, each] of told) history.note({ id: "a", figures: each }, heardAt);
  return history;
}

describe("rates", () => {
  it("are made of two messages, by the host's own clock", () => {
    const history = historyOf(
      [1_000, figures(500_000, { cpu: 1, sent: 100 })],
      [41_000, figures(530_000, { cpu: 4, sent: 190, failed: 10, errors: 2, requests: 4, seconds: 0.2 })],
    );
    expect(history.rates("a")).toEqual({
      cpu: 0.1,
      memory: 1_000,
      error_logs: 4,
      latency: 50,
      send_failures: { bad: 10, all: 100 },
      refused: undefined,
    });
  });

  it("are not made across a restart, a reload or the moment asked for", () => {
    const first = figures(0, { sent: 100 });
    expect(historyOf([0, first]).rates("a")).toBeUndefined();
    expect(historyOf([0, first], [1_000, figures(1_000, { process: "p2" })]).rates("a")).toBeUndefined();
    expect(historyOf([0, first], [1_000, figures(1_000, { sent: 1 })]).rates("a")).toBeUndefined();
    const history = historyOf([0, first], [1_000, figures(1_000, { sent: 120 })]);
    expect(history.rates("a")).toBeDefined();
    expect(history.rates("a", 500)).toBeUndefined();
  });

  it("look back five minutes, and take the same message once", () => {
    const last = figures(400_000, { sent: 400 });
    const history = historyOf([0, figures(0)], [390_000, figures(390_000, { sent: 300 })], [400_000, last]);
    history.note({ id: "a", figures: last }, 401_000);
    expect(history.rates("a")?.send_failures).toEqual({ bad: 0, all: 100 });
    expect(history.rates("b")).toBeUndefined();
  });
});
