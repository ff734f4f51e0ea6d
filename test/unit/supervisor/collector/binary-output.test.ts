import { describe, expect, it } from "vitest";
import {
  parseComponents,
  parseFeatureGates,
  parseValidNames,
} from "../../../../src/supervisor/collector/binary-output.ts";

describe("parseComponents", () => {
  it("reads names and modules", async () => {
    const output = `buildinfo:
    command: otelcol
    description: A Collector
    version: 0.149.0
receivers:
    - name: nop
      module: go.opentelemetry.io/collector/receiver/nopreceiver v0.149.0
      stability: {logs: Beta}
connectors: []
extensions:
    - name: opamp
      module: ""
`;
    expect(await parseComponents(output)).toEqual({
      command: "otelcol",
      description: "A Collector",
      version: "0.149.0",
      components: {
        receivers: [{ name: "nop", module: "go.opentelemetry.io/collector/receiver/nopreceiver v0.149.0" }],
        processors: [],
        exporters: [],
        connectors: [],
        extensions: [{ name: "opamp" }],
      },
    });
  });

  it("reads the bare names of older Collectors, and a version that looks like a number", async () => {
    const info = await parseComponents("buildinfo: {command: c, version: 0.7}\nreceivers: [otlp, nop]\n");
    expect(info).toMatchObject({
      version: "0.7",
      components: { receivers: [{ name: "otlp" }, { name: "nop" }] },
    });
  });

  it.each(["", "hello", "a: [", "buildinfo: 3", "buildinfo: {command: c}", "- 1"])(
    "refuses %j",
    async (output) => {
      expect(await parseComponents(output)).toBeUndefined();
    },
  );
});

describe("parseFeatureGates", () => {
  it("reads the first column below the heading", () => {
    const output =
      "ID          Enabled  Stage\nservice.AllowNoPipelines  false  Alpha  text\nother.gate\ttrue\n\n";
    expect([...parseFeatureGates(output)]).toEqual(["service.AllowNoPipelines", "other.gate"]);
  });
});

describe("parseValidNames", () => {
  it("reads the lists of each kind, and leaves out a kind without one", () => {
    const output = `Error: x

'receivers' unknown type: "q" for id: "q" (valid values: [otlp nop])
'connectors' unknown type: "q" for id: "q" (valid values: [])
`;
    expect(parseValidNames(output)).toEqual({ receivers: ["otlp", "nop"], connectors: [] });
    expect(parseValidNames("Error: something else")).toEqual({});
  });
});
