import { describe, expect, it } from "vitest";
import type { LogFields, Logger } from "../../../../src/foundation/logger.ts";
import { passThrough } from "../../../../src/supervisor/collector/agent-log-passthrough.ts";

function record(line: string): unknown[] {
  const calls: unknown[] = [];
  const at = (level: string) => (fields: LogFields, message: string) =>
    void calls.push([level, fields, message]);
  const logger: Logger = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  passThrough(logger)(line);
  return calls;
}

describe("passThrough", () => {
  it("writes JSON lines at their own level, with their fields as fields", () => {
    const line = '{"level":"warn","ts":"T","msg":"queue full","component":"mine","n":{"a":1}}';
    const attributes = { ts: "T", component: "mine", n: { a: 1 } };
    expect(record(line)).toEqual([["warn", { event: "collector_log", attributes }, "queue full"]]);
  });

  it.each([
    ["debug", "debug"],
    ["info", "info"],
    ["warn", "warn"],
    ["error", "error"],
    ["dpanic", "error"],
    ["fatal", "error"],
  ])("writes %s as %s", (level, expected) => {
    expect(record(JSON.stringify({ level, msg: "m" }))).toEqual([
      [expected, { event: "collector_log" }, "m"],
    ]);
  });

  it("reads the console encoding, with and without a logger name", () => {
    const attributes = { ts: "2026-01-01T00:00:00.000Z", caller: "a/b.go:12", id: 7 };
    const expected = [["error", { event: "collector_log", attributes }, "it broke"]];
    expect(record('2026-01-01T00:00:00.000Z\terror\ta/b.go:12\tit broke\t{"id": 7}')).toEqual(expected);
    expect(record('2026-01-01T00:00:00.000Z\terror\tname\ta/b.go:12\tit broke\t{"id": 7}')).toEqual(expected);
  });

  it("writes the Collector's last words as an error, other text as info, and no empty line", () => {
    expect(record("Error: no such key")).toEqual([
      ["error", { event: "collector_log" }, "Error: no such key"],
    ]);
    expect(record("panic: nil map")).toEqual([["error", { event: "collector_log" }, "panic: nil map"]]);
    expect(record('{"no":"log line"}')).toEqual([["info", { event: "collector_log" }, '{"no":"log line"}']]);
    expect(record("")).toEqual([]);
  });
});
