import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { at, mapAt } from "../../../../src/foundation/collector-yaml/tree.ts";
import { readYaml } from "../../../../src/foundation/collector-yaml/yaml-reader.ts";
import {
  AgentDescriptionSchema,
  AgentRemoteConfigSchema,
  ConnectionSettingsOffersSchema,
} from "../../../../src/opamp/messages.ts";
import {
  type CompositionInput,
  compose,
  readLocalFiles,
} from "../../../../src/supervisor/configuration/compose.ts";
import { ConfigurationError } from "../../../../src/supervisor/configuration/configuration-error.ts";
import { descriptionAttributes } from "../../../../src/supervisor/configuration/own-telemetry-fragment.ts";

const extension = {
  instanceUid: "018fee23-4a51-7303-a441-73faed7d9deb",
  port: 4321,
  token: 't0k"e\\n$\u007b1}',
  mark: "aa11",
  reportsAvailableComponents: true,
};

function remoteOf(entries: Record<string, string | Uint8Array>) {
  const configMap = Object.fromEntries(
    Object.entries(entries).map(([name, body]) => [
      name,
      { body: typeof body === "string" ? new TextEncoder().encode(body) : body },
    ]),
  );
  return create(AgentRemoteConfigSchema, { config: { configMap } }).config;
}

function composed(input: Partial<CompositionInput> = {}) {
  return compose({
    configFiles: [],
    localFiles: {},
    acceptsRemoteConfig: true,
    remote: undefined,
    ownTelemetry: undefined,
    pemPath: (pem) => `/pem/${pem}`,
    attributes: {},
    extension,
    noPipelines: "gate",
    ...input,
  });
}

const opamp = ["extensions", "opamp"];

describe("sources", () => {
  it("merges them in order, later wins", () => {
    const { tree } = composed({
      configFiles: ["a.yaml", "b.yaml"],
      localFiles: { "a.yaml": "k: {v: a, a: 1}", "b.yaml": "k: {v: b, b: 1}" },
      remote: remoteOf({ "": "k: {r: 1}", x: "k: {r: 2, b: 2}" }),
    });
    expect(tree.k).toEqual({ v: "b", a: 1n, b: 2n, r: 1n });
  });

  it("sorts remote entries by name, the unnamed one last", () => {
    const remote = remoteOf({ "": "k: unnamed", b: "k: b\nb: 1", a: "k: a\nb: 2" });
    expect(composed({ remote }).tree).toMatchObject({ k: "unnamed", b: 1n });
    const named = remoteOf({ b: "k: b", a: "k: a", B: "k: B" });
    expect(composed({ remote: named }).tree.k).toBe("b");
  });

  it("puts the remote configuration where its marker says", () => {
    const { tree } = composed({
      configFiles: ["$REMOTE_CONFIG", "a.yaml"],
      localFiles: { "a.yaml": "k: local" },
      remote: remoteOf({ "": "k: remote" }),
    });
    expect(tree.k).toBe("local");
  });

  it("does not use a remote configuration that is not accepted", () => {
    const remote = remoteOf({ "": "k: [" });
    expect(composed({ remote, acceptsRemoteConfig: false }).tree.k).toBeUndefined();
  });

  it("leaves out local files that are missing, unreadable or malformed, and says so", () => {
    const { tree, warnings, files } = composed({
      configFiles: ["gone", "broken", "list", "denied", "section", "good"],
      localFiles: {
        broken: "a: 1\nb: [",
        list: "- a",
        denied: Object.assign(new Error("EACCES: permission denied"), { code: "EACCES" }),
        section: "service: x",
        good: "k: 1",
      },
    });
    expect(tree.k).toBe(1n);
    expect(files).toEqual(["good"]);
    expect(warnings.map(({ file }) => file).sort()).toEqual(["broken", "denied", "gone", "list", "section"]);
    expect(warnings.find(({ file }) => file === "broken")?.problem).toMatch(/^line \d: not valid YAML/);
    expect(warnings.find(({ file }) => file === "denied")?.problem).toMatch(/permission denied/);
  });

  it("reads local files through the reader it is given and never fails", async () => {
    const read = (path: string) =>
      path === "bad" ? Promise.reject(new Error("no")) : Promise.resolve(`p: ${path}`);
    const files = await readLocalFiles(["a", "$REMOTE_CONFIG", "bad"], read);
    expect(files).toEqual({ a: "p: a", bad: new Error("no") });
  });

  it.each<[string, Record<string, string | Uint8Array>, string, number | undefined]>([
    ["malformed", { good: "a: 1", bad: "a: 1\nb: [" }, "bad", 2],
    ["not a map", { "": "- a" }, "", 1],
    ["a duplicate key", { x: "a: 1\na: 2" }, "x", 2],
    ["not UTF-8", { x: new Uint8Array([0xff, 0xfe, 0x00]) }, "x", undefined],
    ["a section that is no map", { x: "extensions: {opamp: [1]}" }, "x", undefined],
  ])("refuses a remote configuration that is %s, naming entry and line", (_, entries, entry, line) => {
    let thrown: unknown;
    try {
      composed({ remote: remoteOf(entries) });
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(ConfigurationError);
    expect(thrown).toMatchObject({ entry, line });
    expect((thrown as Error).message).toContain(JSON.stringify(entry));
  });

  it("refuses a remote configuration that is too large", () => {
    const remote = remoteOf({ a: "k: 1", b: "k: 2" });
    expect(() => composed({ remote, maxRemoteConfigBytes: 7 })).toThrow(/8 bytes where 7 are allowed/);
    expect(() => composed({ remote, maxRemoteConfigBytes: 8 })).not.toThrow();
  });

  it("takes entries without content as empty maps", () => {
    expect(composed({ remote: remoteOf({ a: "", b: "null", c: "k: 1" }) }).tree.k).toBe(1n);
  });
});

describe("the link to the supervisor", () => {
  it("is configured, with values that the Collector cannot expand", () => {
    const { text } = composed();
    expect(mapAt(readYaml(text), opamp)).toEqual({
      instance_uid: extension.instanceUid,
      server: {
        ws: {
          endpoint: "ws://127.0.0.1:4321/v1/opamp",
          tls: { insecure: true },
          headers: {
            Authorization: `Bearer ${extension.token.replace("$", "$$$$")}`,
            "X-OpAMP-Supervisor-Change": "aa11",
          },
        },
      },
      capabilities: { reports_available_components: true },
    });
  });

  it("watches the supervisor only when asked", () => {
    const parent = { pid: 42, pollIntervalMs: 5000 };
    const { tree } = composed({ extension: { ...extension, parent } });
    expect(mapAt(tree, opamp)).toMatchObject({ ppid: 42n, ppid_poll_interval: "5000ms" });
  });

  it.each([
    [
      "other server",
      "extensions: {opamp: {server: {http: {endpoint: http://evil}, ws: {endpoint: ws://evil, headers: {authorization: x}}}}}",
    ],
    ["other server by ::", "extensions::opamp::server::ws::endpoint: ws://evil"],
    ["other uid", "extensions: {opamp: {instance_uid: x, ppid: 1, ppid_poll_interval: 1ms}}"],
    [
      "no reports",
      "extensions: {opamp: {capabilities: {reports_health: false, reports_effective_config: false}}}",
    ],
    ["no extension", "extensions: {opamp: null}"],
    ["no extensions", "extensions: null"],
    ["not in the list", "service: {extensions: null}"],
    ["an empty service", "service: null"],
  ])("survives a remote configuration with %s", (_, body) => {
    const { tree } = composed({ remote: remoteOf({ "": body }) });
    const ours = mapAt(composed().tree, opamp);
    expect(at(tree, [...opamp, "server"])).toEqual(ours.server);
    expect(at(tree, [...opamp, "instance_uid"])).toBe(extension.instanceUid);
    expect(at(tree, [...opamp, "ppid"])).toBeUndefined();
    expect(mapAt(tree, [...opamp, "capabilities"])).not.toHaveProperty("reports_health");
    expect(at(tree, ["service", "extensions"])).toEqual(["opamp"]);
  });

  it("is kept where the list of extensions is text", () => {
    const { tree } = composed({ remote: remoteOf({ "": "service: {extensions: 'health_check, pprof'}" }) });
    expect(at(tree, ["service", "extensions"])).toEqual(["health_check", "pprof", "opamp"]);
  });

  it("leaves other keys of the extension to be overridden", () => {
    const body =
      "extensions: {opamp: {capabilities: {reports_available_components: false}, agent_description: {x: 1}}}";
    const { tree } = composed({ remote: remoteOf({ "": body }) });
    expect(mapAt(tree, opamp)).toMatchObject({
      capabilities: { reports_available_components: false },
      agent_description: { x: 1n },
    });
  });
});

describe("own telemetry", () => {
  const settings = (destinationEndpoint: string) => ({
    destinationEndpoint,
    headers: { headers: [{ key: "k", value: 'a"b\\c$\u007benv:HOME}' }] },
  });
  const ownTelemetry = create(ConnectionSettingsOffersSchema, {
    ownMetrics: settings("http://m/v1/metrics"),
    ownTraces: settings(""),
  });

  it("has each signal on its own; an empty endpoint removes it", () => {
    const { tree } = composed({ ownTelemetry });
    expect(at(tree, ["service", "telemetry"])).toEqual({
      metrics: {
        readers: [
          {
            periodic: {
              interval: 10_000n,
              exporter: {
                otlp: {
                  protocol: "http/protobuf",
                  endpoint: "http://m/v1/metrics",
                  headers: { k: 'a"b\\c$$\u007benv:HOME}' },
                },
              },
            },
          },
        ],
      },
      logs: { encoding: "json", error_output_paths: ["stderr"], output_paths: ["stdout"] },
    });
  });

  it("gives way to a remote configuration that sets the same list", () => {
    const remote = remoteOf({ "": "service: {telemetry: {metrics: {readers: [mine]}}}" });
    const { tree } = composed({ ownTelemetry, remote });
    expect(at(tree, ["service", "telemetry", "metrics", "readers"])).toEqual(["mine"]);
  });

  it("has the attributes of the description as resource, as text", () => {
    const description = create(AgentDescriptionSchema, {
      identifyingAttributes: [
        { key: "service.name", value: { value: { case: "stringValue", value: 'a"b$' } } },
      ],
      nonIdentifyingAttributes: [
        { key: "n", value: { value: { case: "intValue", value: 7n } } },
        { key: "a::b", value: { value: { case: "stringValue", value: "x" } } },
        { key: "list", value: { value: { case: "arrayValue", value: { values: [] } } } },
      ],
    });
    const { tree } = composed({ attributes: descriptionAttributes(description) });
    expect(at(tree, ["service", "telemetry", "resource"])).toEqual({ "service.name": 'a"b$$', n: "7" });
  });
});

describe("a Collector that cannot run without pipelines", () => {
  const pipelines = ["service", "pipelines"];

  it.each(["", "service: {pipelines: null}", "service: {pipelines: {}}", "receivers: null"])(
    "gets one that does nothing: %j",
    (body) => {
      const { tree } = composed({ noPipelines: "nop-pipeline", remote: remoteOf({ "": body }) });
      expect(at(tree, pipelines)).toEqual({ traces: { receivers: ["nop"], exporters: ["nop"] } });
      expect(tree).toMatchObject({ receivers: { nop: null }, exporters: { nop: null } });
      expect(at(composed({ remote: remoteOf({ "": body }) }).tree, ["receivers", "nop"])).toBeUndefined();
    },
  );

  it("gets none when there are pipelines", () => {
    const remote = remoteOf({ "": "service: {pipelines: {logs: {receivers: [a], exporters: [b]}}}" });
    const { tree } = composed({ noPipelines: "nop-pipeline", remote });
    expect(Object.keys(mapAt(tree, pipelines))).toEqual(["logs"]);
  });
});

describe("the result", () => {
  it("is the text of the tree, and stable", () => {
    const first = composed({ remote: remoteOf({ "": "b: 1\na: {d: x, c: y}" }) });
    const second = composed({ remote: remoteOf({ "": "a: {c: y, d: x}\nb: 1" }) });
    expect(first.text).toBe(second.text);
    expect(readYaml(first.text)).toEqual(first.tree);
  });

  it("has a content hash in which only the mark does not count", () => {
    const hash = (input: Partial<CompositionInput>) => composed(input).contentHash;
    expect(hash({})).toMatch(/^[0-9a-f]{64}$/);
    expect(hash({ extension: { ...extension, mark: "bb22" } })).toBe(hash({}));
    expect(composed({ extension: { ...extension, mark: "bb22" } }).text).not.toBe(composed().text);
    expect(hash({ extension: { ...extension, port: 1 } })).not.toBe(hash({}));
    expect(hash({ extension: { ...extension, token: "x" } })).not.toBe(hash({}));
    expect(hash({ remote: remoteOf({ "": "k: 1" }) })).not.toBe(hash({}));
  });

  it("keeps references and escapes for the Collector", () => {
    const remote = remoteOf({ "": "a: $\u007benv:X}\nb: $$x" });
    expect(composed({ remote }).tree).toMatchObject({ a: "$\u007benv:X}", b: "$$x" });
  });
});
