import { describe, expect, it } from "vitest";
import type { Metric } from "../../../../src/foundation/metrics/metric.ts";
import { formatPrometheus } from "../../../../src/foundation/metrics/prometheus-text.ts";

const metric = (given: Partial<Metric>): Metric => ({
  ...{ name: "up", help: "Whether it is up", kind: "gauge", points: () => [{ value: 1, labels: {} }] },
  ...given,
});

describe("formatPrometheus", () => {
  it("writes help, type and a line for each set of labels", () => {
    const points = () => [
      { value: 3, labels: { status: "applied" } },
      { value: 0, labels: { status: "failed", by: "us" } },
    ];
    expect(formatPrometheus([metric({ name: "updates_total", kind: "counter", points })])).toBe(
      `# HELP updates_total Whether it is up
# TYPE updates_total counter
updates_total{status="applied"} 3
updates_total{status="failed",by="us"} 0
`,
    );
  });

  it("makes a legal name of a dotted one, and a gauge of what goes up and down", () => {
    expect(
      formatPrometheus([metric({ name: "supervisor.agent.health_status", kind: "up-down-counter" })]),
    ).toBe(
      `# HELP supervisor_agent_health_status Whether it is up
# TYPE supervisor_agent_health_status gauge
supervisor_agent_health_status 1
`,
    );
  });

  it("escapes what would end a label or a line", () => {
    const points = () => [{ value: 1, labels: { package: 'a"b\\c\nd' } }];
    const text = formatPrometheus([metric({ help: "one\\two\nthree", points })]);
    expect(text).toContain("# HELP up one\\\\two\\nthree\n");
    expect(text).toContain('up{package="a\\"b\\\\c\\nd"} 1\n');
  });

  it("leaves out what is not known", () => {
    expect(formatPrometheus([metric({ points: () => [] })])).toBe("");
  });

  it.each([
    [Number.NaN, "NaN"],
    [Number.POSITIVE_INFINITY, "+Inf"],
    [Number.NEGATIVE_INFINITY, "-Inf"],
    [1_767_225_600.5, "1767225600.5"],
  ])("writes %d as %s", (value, text) => {
    expect(formatPrometheus([metric({ points: () => [{ value, labels: {} }] })])).toMatch(
      new RegExp(`^up ${text.replace("+", "\\+")}$`, "m"),
    );
  });
});
