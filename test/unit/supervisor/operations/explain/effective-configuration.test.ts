import { create } from "@bufbuild/protobuf";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { at, leaves } from "../../../../../src/foundation/collector-yaml/tree.ts";
import { readYaml } from "../../../../../src/foundation/collector-yaml/yaml-reader.ts";
import { AgentConfigMapSchema, ConnectionSettingsOffersSchema } from "../../../../../src/opamp/messages.ts";
import { type CompositionInput, compose } from "../../../../../src/supervisor/configuration/compose.ts";
import { EffectiveConfiguration } from "../../../../../src/supervisor/operations/explain/effective-configuration.ts";

interface Sources extends Partial<CompositionInput> {
  entries?: Record<string, string>;
}

function inputOf({ entries = {}, ...input }: Sources = {}): CompositionInput {
  const configMap = Object.fromEntries(
    Object.entries(entries).map(([name, text]) => [name, { body: new TextEncoder().encode(text) }]),
  );
  return {
    configFiles: Object.keys(input.localFiles ?? {}),
    localFiles: {},
    acceptsRemoteConfig: true,
    remote: create(AgentConfigMapSchema, { configMap }),
    ownTelemetry: undefined,
    pemPath: (pem) => `/pem/${pem}`,
    attributes: { "service.name": "otelcol" },
    extension: {
      ...{ instanceUid: "018fee23-4a51-7303-a441-73faed7d9deb", port: 4321, token: "local-link-token" },
      ...{ mark: "aa11", reportsAvailableComponents: true },
    },
    noPipelines: "gate",
    ...input,
  };
}

function effectiveOf(sources: Sources) {
  const input = inputOf(sources);
  return new EffectiveConfiguration(compose(input).tree, input);
}

const explainOne = (sources: Sources, key: string) => effectiveOf(sources).explain(key)?.[0];
const base = { t: "remote", entry: "base" };
const site = { t: "remote", entry: "site" };

describe("a key", () => {
  it("is its last source's, and names what was overridden, earliest first", () => {
    const found = explainOne(
      {
        localFiles: { "/a.yaml": "exporters: {otlp: {endpoint: a}}" },
        entries: { base: "exporters: {otlp: {endpoint: b}}", site: "exporters: {otlp: {endpoint: c}}" },
      },
      "exporters.otlp.endpoint",
    );
    expect(found).toEqual({
      key: "exporters.otlp.endpoint",
      value: "c",
      origins: [site],
      overridden: [
        { origin: { t: "file", path: "/a.yaml" }, value: "a" },
        { origin: base, value: "b" },
      ],
      environment: [],
      outdated: false,
    });
  });

  it("that is a list of extensions comes from each source that adds to it, and from us", () => {
    const entries = { base: "service: {extensions: [health_check]}", site: "service: {extensions: [pprof]}" };
    expect(explainOne({ entries }, "service.extensions")?.origins).toEqual([
      { t: "opamp-extension" },
      base,
      site,
    ]);
  });

  it("that holds a secret is not shown, here or where it was overridden", () => {
    const entries = {
      base: "exporters: {otlp: {headers: {x-key: first-secret}}}",
      site: "exporters: {otlp: {headers: {x-key: second-secret}}}",
    };
    const effective = effectiveOf({ entries });
    const text = JSON.stringify(
      [effective.explain("exporters"), effective.explain("extensions")],
      (_, value) => (typeof value === "bigint" ? String(value) : (value as unknown)),
    );
    expect(text).toContain("exporters.otlp.headers.x-key");
    for (const secret of ["first-secret", "second-secret", "local-link-token"]) {
      expect(text).not.toContain(secret);
    }
  });

  it("of own telemetry is the offer's, or a default of ours", () => {
    const ownTelemetry = create(ConnectionSettingsOffersSchema, {
      ownMetrics: { destinationEndpoint: "http://t:4318/v1/metrics" },
    });
    const effective = effectiveOf({ ownTelemetry });
    expect(effective.explain("service.telemetry.metrics.readers")?.[0]?.origins).toEqual([
      { t: "own-telemetry" },
    ]);
    expect(effective.explain("service.telemetry.resource")?.[0]).toMatchObject({
      key: "service.telemetry.resource.service.name",
      origins: [{ t: "telemetry-defaults" }],
    });
  });

  it("that no source can have otherwise is the supervisor's, and says what a source wanted", () => {
    const entries = { base: "extensions: {opamp: {server: {ws: {endpoint: ws://elsewhere}}}}" };
    const found = explainOne({ entries }, "extensions.opamp.server.ws.endpoint");
    expect(found).toMatchObject({ origins: [{ t: "supervisor" }], value: "ws://127.0.0.1:4321/v1/opamp" });
    expect(found?.overridden.map(({ origin }) => origin.t)).toEqual(["opamp-extension", "remote"]);
  });

  it("that is an empty map or null is that of the source that has it", () => {
    const entries = { base: "receivers: {otlp: {}, nop: }" };
    expect(explainOne({ entries }, "receivers.otlp")?.origins).toEqual([base]);
    expect(explainOne({ entries }, "receivers.nop")).toMatchObject({ origins: [base], value: null });
  });

  it("names the variables that the Collector puts in", () => {
    const entries = { base: `a: {b: '\${env:HOST}:\${PORT}', c: '\${file:/x}'}` };
    expect(explainOne({ entries }, "a.b")?.environment).toEqual(["HOST", "PORT"]);
  });

  it("is found with dots in it, and is not where another source replaced what it is in", () => {
    const entries = { base: "a: {b.c: {d: 1}}", site: "x: 1" };
    expect(explainOne({ entries }, "a.b.c.d")).toMatchObject({ value: 1n, origins: [base] });
    const replaced = effectiveOf({ entries: { base: "a: {b: 1}", site: "a: none" } });
    expect(replaced.explain("a.b")).toBeUndefined();
    expect(replaced.saidElsewhere("a.b")).toEqual([base]);
  });

  it("that the sources do not give any more is outdated", () => {
    const then = compose(inputOf({ entries: { base: "a: 1\nb: 2" } })).tree;
    const effective = new EffectiveConfiguration(then, inputOf({ entries: { base: "a: 1\nb: 3" } }));
    expect(effective.isUpToDate).toBe(false);
    expect([effective.explain("a")?.[0]?.outdated, effective.explain("b")?.[0]?.outdated]).toEqual([
      false,
      true,
    ]);
  });
});

it("without a key each component is a part", () => {
  const entries = {
    base: "receivers: {otlp: {protocols: {http: }}}",
    site: "receivers: {otlp: {x: 1}, nop: }",
  };
  const { parts } = effectiveOf({ entries });
  expect(parts.map(({ key, origins }) => [key, origins])).toEqual(
    expect.arrayContaining([
      ["receivers.otlp", [base, site]],
      ["receivers.nop", [site]],
    ]),
  );
});

const scalars = fc.constantFrom("1", "two", "null", "[1, 2]", "{}", "{a: 1}", "{a: {b: 2}}", "{b: [3]}");
const texts = fc
  .tuple(scalars, scalars, scalars)
  .map(([x, y, z]) => `receivers: {x: ${x}, y: ${y}}\nservice: {telemetry: {z: ${z}}}`);

it("whatever the sources are, every value is that of one of its origins", () => {
  fc.assert(
    fc.property(texts, texts, texts, (file, first, second) => {
      const input = inputOf({ localFiles: { "/f": file }, entries: { "1": first, "2": second } });
      const { tree } = compose(input);
      const effective = new EffectiveConfiguration(tree, input);
      const trees = new Map([
        ['{"t":"file","path":"/f"}', readYaml(file)],
        ['{"t":"remote","entry":"1"}', readYaml(first)],
        ['{"t":"remote","entry":"2"}', readYaml(second)],
      ]);
      for (const section of ["receivers.x", "receivers.y", "service.telemetry.z"]) {
        for (const { key, origins } of effective.explain(section) ?? []) {
          const path = key.split(".");
          const [origin] = origins;
          expect(origins).toHaveLength(1);
          const source = trees.get(JSON.stringify(origin));
          expect([...leaves(at(source, path) ?? null)]).toEqual([...leaves(at(tree, path) ?? null)]);
        }
      }
    }),
  );
});
