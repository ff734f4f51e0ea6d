import { describe, expect, it } from "vitest";
import { formatDuration, plainLine, shortHash } from "../../../src/cli/plain-text.ts";
import { formatStatus } from "../../../src/cli/status-text.ts";
import type { StatusView } from "../../../src/supervisor/operations/control/status-view.ts";

const well: StatusView = {
  verdict: "healthy",
  reasons: [],
  supervisor: { version: "1.2.3", pid: 10, uptime_seconds: 90_061 },
  instance_uid: "0190",
  server: {
    endpoint: "wss://example.com/v1/opamp",
    connected: true,
    since: "2026-01-01T00:00:00.000Z",
    last_error: null,
  },
  collector: {
    ...{ state: "running", pid: 11, uptime_seconds: 59, healthy: true, status: "StatusOK" },
    ...{ last_error: null, exits: 0, memory_limit: null, last_exit: null },
  },
  program: { source: "local", path: "/otelcol", version: "0.149.0" },
  configuration: {
    ...{ role: "desired", remote_hash: "0123456789abcdef", content_hash: "ff", on_probation: false },
    since: "2026-01-01T00:00:00.000Z",
  },
  remote_config: { status: "APPLIED", hash: "0123456789abcdef", error: null },
  quarantined: 0,
  certificates: [{ use: "client", expires: "2026-01-04T02:00:00.000Z" }],
  storage: { free_bytes: 1_000_000, unwritten: [] },
  change: null,
};
const terminal = {
  paint: (colour: string, text: string) => `<${colour}>${text}</>`,
  now: Date.UTC(2026, 0, 1, 2),
};

describe("formatStatus", () => {
  it("begins with the verdict, and aligns the rest", () => {
    expect(formatStatus(well, terminal)).toBe(`<green>HEALTHY</>  the Collector runs the desired configuration

Configuration  desired, 0123456789ab of the server, here since 2026-01-01 00:00:00Z (2h ago)
Last offer     APPLIED 0123456789ab
Change         none under way
Quarantine     empty
Collector      running, pid 11, up 59s
Health         healthy, StatusOK
Program        /otelcol 0.149.0 (agent.executable)
Server         wss://example.com/v1/opamp, connected since 2026-01-01 00:00:00Z (2h ago)
Certificates   client until 2026-01-04 02:00:00Z (in 3d)
Agent          0190
Supervisor     1.2.3, pid 10, up 1d 1h`);
  });

  it("gives every reason a line, and shows no text of others to the terminal as commands", () => {
    const reason = "exporter \u001b[2Jevil\u202e";
    const text = formatStatus({ ...well, verdict: "degraded", reasons: [reason, "second"] }, terminal);
    expect(text.split("\n").slice(0, 2)).toEqual([
      "<yellow>DEGRADED</>  exporter \\x1b[2Jevil\\x202e",
      "          second",
    ]);
  });
});

describe("text for people", () => {
  it("shows two units of a duration", () => {
    const shown = [0, 59.4, 60, 3_725, 86_400, 90_000, -5].map(formatDuration);
    expect(shown).toEqual(["0s", "59s", "1m", "1h 2m", "1d", "1d 1h", "0s"]);
  });

  it("cuts hashes, also several, and texts at their first line", () => {
    expect(shortHash("0123456789abcdef+packages:fedcba9876543210")).toBe(
      "0123456789ab+packages:fedcba987654",
    );
    expect(shortHash("abc")).toBe("abc");
    expect(plainLine("one\ttwo\nthree")).toBe("one two");
  });
});
