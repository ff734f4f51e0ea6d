import { describe, expect, it } from "vitest";
import { renderLayers } from "../../../../src/server/configurations/rendering.ts";
import type { Variables } from "../../../../src/server/configurations/variables.ts";

const layer = (text: string, variables?: Variables, values = {}) => ({
  version: { entries: { "": { body: Buffer.from(text), contentType: "text/yaml" } as never }, variables },
  values,
});
const textOf = (layers: Parameters<typeof renderLayers>[0]) =>
  Buffer.from(renderLayers(layers).configuration.map.configMap[""]!.body).toString();

describe("renderLayers", () => {
  it("passes on what is no template as it was posted", () => {
    expect(textOf([layer("# why\nb: 1\na: 2\n")])).toBe("# why\nb: 1\na: 2\n");
  });

  it("lays later layers over earlier ones: maps merge, lists and scalars are replaced", () => {
    const base = layer("exporters: {otlp: {endpoint: a, headers: {x: '1'}}}\nlist: [1, 2]\n");
    const group = layer(
      'exporters: {otlp: {endpoint: "{{.host}}"}}\nlist: [3]\n',
      { host: { type: "string" } },
      { host: "b" },
    );
    expect(textOf([base, group])).toBe(
      'exporters:\n  otlp:\n    endpoint: b\n    headers:\n      x: "1"\nlist:\n  - 3\n',
    );
    const hash = (layers: Parameters<typeof renderLayers>[0]) => renderLayers(layers).configuration.hashHex;
    expect(hash([base, group])).toBe(hash([base, group]));
    expect(hash([base, group])).not.toBe(hash([base]));
  });

  it("names what service refers to and is not there, and what is there for nothing", () => {
    const yaml = [
      "receivers: {otlp: {}, zipkin: {}}",
      "exporters: {debug: {}}",
      "connectors: {count: {}}",
      "service:",
      "  extensions: [health_check]",
      "  pipelines:",
      "    traces: {receivers: [otlp], processors: [batch], exporters: [debug, count]}",
      "    metrics: {receivers: [count], exporters: [debug]}",
    ].join("\n");
    const { problems, warnings } = renderLayers([layer(yaml)]).check;
    expect(problems.map(({ place }) => place)).toEqual([
      "service.pipelines.traces.processors[0]",
      "service.extensions[0]",
    ]);
    expect(warnings.map(({ place }) => place)).toEqual(["receivers.zipkin"]);
  });
});
