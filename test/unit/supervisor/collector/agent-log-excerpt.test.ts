import { describe, expect, it } from "vitest";
import { becauseOf, makeExcerpt } from "../../../../src/supervisor/collector/agent-log-excerpt.ts";

const json = (level: string, msg: string, extra: object = {}) =>
  JSON.stringify({
    level,
    ts: "2026-01-01T00:00:00Z",
    caller: "a/b.go:1",
    msg,
    resource: { "service.name": "x" },
    ...extra,
  });

describe("makeExcerpt", () => {
  it("gives a failed start in the order in which it was logged, without what repeats itself", () => {
    const log = [
      json("info", "Starting GRPC server", { endpoint: "127.0.0.1:1111" }),
      json("error", "Failed to start component", { error: "bind: address already in use", id: "otlp" }),
      json("info", "Shutdown complete."),
      'Error: cannot start pipelines: failed to start "otlp" receiver',
      "",
    ].join("\n");
    expect(makeExcerpt(log).split("\n")).toEqual([
      "info: Starting GRPC server endpoint=127.0.0.1:1111",
      "error: Failed to start component error=bind: address already in use id=otlp",
      "info: Shutdown complete.",
      'Error: cannot start pipelines: failed to start "otlp" receiver',
    ]);
  });

  it("keeps the first error when the last lines are far away from it", () => {
    const noise = Array.from({ length: 100 }, (_, index) => `line ${index}`);
    const excerpt = makeExcerpt(["start", "panic: first", ...noise].join("\n"), { maxLines: 4 });
    expect(excerpt).toBe("panic: first\n…\nline 97\nline 98\nline 99");
  });

  it("never exceeds its bytes, and always holds the beginning of the first error and of the last line", () => {
    for (const width of [1, 10, 500, 5_000]) {
      const log = [`Error: ${"ä".repeat(width)}`, "b".repeat(width), `last ${"€".repeat(width)}`].join("\n");
      const excerpt = makeExcerpt(log, { maxBytes: 300 });
      expect(Buffer.byteLength(excerpt)).toBeLessThanOrEqual(300);
      expect(excerpt).toMatch(/^Error: ä/);
      expect(excerpt.split("\n").at(-1)).toMatch(/^last €/);
      expect(excerpt).not.toContain("\ufffd");
    }
  });

  it("removes colours and control characters", () => {
    expect(makeExcerpt("\x1b[31mred\x1b[0m\x07 \u0085bell\ttab\r\n")).toBe("red bell tab");
  });

  it("reads the console encoding", () => {
    const line =
      '2026-01-01T00:00:00.000Z\terror\tgraph/graph.go:439\tFailed\t{"resource": {"a": "b"}, "id": "otlp"}';
    expect(makeExcerpt(line)).toBe("error: Failed id=otlp");
  });

  it("is empty for an empty log", () => {
    expect(makeExcerpt("\n\n")).toBe("");
  });
});

describe("becauseOf", () => {
  it("puts the line that says why first, and keeps the others", () => {
    expect(becauseOf("info: a\nerror: b\ninfo: c\nError: d")).toBe(": Error: d\ninfo: a\nerror: b\ninfo: c");
    expect(becauseOf("info: a\nerror: b\ninfo: c")).toBe(": error: b\ninfo: a\ninfo: c");
  });

  it("takes what there is where no line says why", () => {
    expect(becauseOf("info: a\nb")).toBe(": info: a\nb");
    expect(becauseOf("")).toBe("");
  });
});
