import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { AgentRemoteConfigSchema } from "../../../../src/opamp/messages.ts";
import { isAllowedAddress } from "../../../../src/supervisor/configuration/allowed-addresses.ts";
import { pathProblem } from "../../../../src/supervisor/configuration/allowed-paths.ts";
import { compose } from "../../../../src/supervisor/configuration/compose.ts";
import { findReferences } from "../../../../src/supervisor/configuration/references.ts";
import {
  checkRestrictions,
  type Restrictions,
} from "../../../../src/supervisor/configuration/restrictions.ts";

function violationsOf(remote: string, restrictions: Restrictions, local = "", order: string[] = ["local"]) {
  const configMap = { "": { body: new TextEncoder().encode(remote) } };
  const composition = compose({
    configFiles: order,
    localFiles: { local },
    acceptsRemoteConfig: true,
    remote: create(AgentRemoteConfigSchema, { config: { configMap } }).config,
    ownTelemetry: undefined,
    attributes: {},
    extension: {
      instanceUid: "018fee23-4a51-7303-a441-73faed7d9deb",
      port: 1,
      token: "t",
      mark: "m",
      reportsAvailableComponents: true,
    },
    noPipelines: "gate",
  });
  return checkRestrictions(composition, restrictions);
}

/** Where each violation is. */
const placesOf = (...args: Parameters<typeof violationsOf>) =>
  violationsOf(...args).map((line) => line.slice(0, line.indexOf(": ")));

const reference = (body: string) => `$\{${body}}`;

const anything = `
receivers: {unheard_of: {file: /etc/shadow}}
extensions: {opamp: {capabilities: {}}}
exporters: {file: {path: "${reference("http:evil")}"}}
service: {telemetry: {logs: {output_paths: [/etc/passwd]}}}`;

describe("AC9 restrictions", () => {
  it("that are absent allow everything", () => {
    expect(violationsOf(anything, {})).toEqual([]);
    expect(
      violationsOf(anything, { allowOverride: { opampExtension: true } }, "receivers: {unheard_of: 1}"),
    ).toEqual([]);
  });

  it("name every offending key", () => {
    const restrictions = {
      componentTypes: { receivers: ["otlp"] },
      configProviders: ["env"],
      filePaths: ["/var/log"],
      allowOverride: { opampExtension: false, serviceTelemetry: false },
    };
    expect(placesOf(anything, restrictions)).toEqual([
      "receivers.unheard_of",
      "exporters.file.path",
      "service.telemetry.logs.output_paths[0]",
      "exporters.file.path",
      "extensions.opamp.capabilities",
      "service.telemetry.logs",
    ]);
  });

  it("do not bind local files", () => {
    const local = "receivers: {filelog: {include: [/etc/shadow]}, unheard_of: {}}";
    const restrictions = { filePaths: [], componentTypes: { receivers: [] }, listenAddresses: [] };
    expect(violationsOf("", restrictions, local)).toEqual([]);
  });
});

describe("component types", () => {
  const restrictions = { componentTypes: { receivers: ["otlp"], extensions: [] } };

  it.each<[string, string, string[]]>([
    ["an allowed type", "receivers: {otlp: null, otlp/2: null}", []],
    ["another type", "receivers: {nop: null, ' nop/x': null}", ["receivers.nop", "receivers. nop/x"]],
    ["another type by ::", "receivers::nop: null", ["receivers.nop"]],
    ["a kind that is not limited", "exporters: {nop: null}", []],
    ["a section that is a reference", `receivers: ${reference("env:X")}`, ["receivers"]],
    ["the opamp extension", "extensions: {opamp: {x: 1}, opamp/2: null}", ["extensions.opamp/2"]],
  ])("judge %s", (_, remote, places) => {
    expect(placesOf(remote, restrictions)).toEqual(places);
  });
});

describe("config providers", () => {
  it.each<[string, string[], boolean]>([
    [reference("env:X"), ["env"], true],
    [reference("X"), ["env"], true],
    [reference("X"), [], false],
    [`a-${reference("X")}-b`, [], false],
    [reference("file:/x"), ["env"], false],
    [reference("http:evil"), ["env", "file"], false],
    [`$${reference("file:/x")}`, [], true],
    [`$$${reference("file:/x")}`, [], false],
    [reference(`env:${reference("X")}`), ["env"], false],
    [reference("env:X:-plain"), ["env"], true],
    [reference("env:X:-http://h:1/x"), ["env"], true],
    [reference('env:X:-k: "\\x24{file:/etc/shadow\\x7d"'), ["env"], false],
    [reference("yaml:k: v"), ["yaml"], false],
    ["no reference", [], true],
  ])("judge %s with %j allowed", (value, configProviders, fine) => {
    const remote = `a: {b: [${JSON.stringify(value)}]}`;
    expect(placesOf(remote, { configProviders }).slice(0, 1)).toEqual(fine ? [] : ["a.b[0]"]);
  });

  it("find references as the Collector does", () => {
    expect(findReferences(`a${reference("env:X")}b${reference("file:/y")}`)).toMatchObject([
      { scheme: "env", body: "X", whole: false },
      { scheme: "file", body: "/y", whole: false },
    ]);
    expect(findReferences(reference("X"))).toMatchObject([{ scheme: "env", body: "X", whole: true }]);
    expect(findReferences("} ${ {")).toEqual([]);
  });
});

describe("file paths", () => {
  const filePaths = ["/var/log", "/data/"];

  it.each<[string, boolean]>([
    ["/var/log", true],
    ["/var/log/", true],
    ["/var/log/a/b.log", true],
    ["/data/x", true],
    ["/var/log/*.log", true],
    ["/var/log/**/x-{a,b}.log", true],
    ["/var/log/a/../b", true],
    ["/var/logs/a", false],
    ["/var/log/../../etc/shadow", false],
    ["/var/log/..", false],
    ["/var", false],
    ["/", false],
    ["relative/var/log", false],
    ["", false],
    ["/var/log*/x", false],
    ["/var/*/x", false],
    ["/var/log/*/../../../etc/shadow", false],
    ["/var/log/{../../etc,x}/shadow", false],
    ["/var/log/{.,}{.,}/{.,}{.,}/etc/shadow", false],
    ["/var/log/\\.\\./\\.\\./etc/shadow", false],
    ["/etc/shadow", false],
    ["//etc/shadow", false],
  ])("judge %s", (path, fine) => {
    expect(pathProblem(path, filePaths) === undefined).toBe(fine);
  });

  it.each<[string, string, string[]]>([
    ["filelog", "receivers: {filelog: {include: [/var/log/a, /etc/b]}}", ["receivers.filelog.include[1]"]],
    [
      "filelog under its other name",
      "receivers: {file_log/x: {include: /etc/b}}",
      ["receivers.file_log/x.include"],
    ],
    [
      "an operator",
      "receivers: {filelog: {operators: [{type: file_output, path: /etc/b}]}}",
      ["receivers.filelog.operators[0].path"],
    ],
    [
      "file_storage",
      "extensions: {file_storage: {directory: /etc, compaction: {directory: /data/c}}}",
      ["extensions.file_storage.directory"],
    ],
    ["the file exporter", "exporters: {file: {path: /etc/x}}", ["exporters.file.path"]],
    [
      "tls files",
      "exporters: {otlp: {tls: {ca_file: /etc/x, cert_file: /data/y, key_file: ../z, reload_interval: 1s}}}",
      ["exporters.otlp.tls.ca_file", "exporters.otlp.tls.key_file"],
    ],
    ["hostmetrics", "receivers: {hostmetrics: {root_path: /host}}", ["receivers.hostmetrics.root_path"]],
    [
      "URL paths, which are none",
      "exporters: {otlp_http: {traces_url_path: /x}}\nextensions: {health_check: {path: /health}}",
      [],
    ],
    [
      "outputs of the own log",
      "service: {telemetry: {logs: {output_paths: [stdout, /etc/x, /var/log/x], error_output_paths: ['file:///etc/x', '/var/log/%2e%2e/x']}}}",
      [
        "service.telemetry.logs.output_paths[1]",
        "service.telemetry.logs.error_output_paths[0]",
        "service.telemetry.logs.error_output_paths[1]",
      ],
    ],
    [
      "certificates of own telemetry",
      "service: {telemetry: {traces: {processors: [{batch: {exporter: {otlp: {certificate: /etc/x}}}}]}}}",
      ["service.telemetry.traces.processors[0].batch.exporter.otlp.certificate"],
    ],
    ["unknown components", "processors: {mystery/1: null}", ["processors.mystery/1"]],
    [
      "a reference in a path",
      `exporters: {file: {path: "/data/${reference("env:X")}"}}`,
      ["exporters.file.path"],
    ],
    ["an escaped dollar in a path", "exporters: {file: {path: /data/$$x}}", []],
    ["a component that is a reference", `exporters: {file: "${reference("env:X")}"}`, ["exporters.file"]],
    [
      "a reference that may become a map",
      `exporters: {otlp: {tls: "${reference("env:X:-ca_file: /etc/x")}"}}`,
      ["exporters.otlp.tls"],
    ],
    [
      "a file that may be a map",
      `exporters: {otlp: {tls: "${reference("file:/data/x")}"}}`,
      ["exporters.otlp.tls"],
    ],
    [
      "a secret from an allowed file",
      `exporters: {otlp: {headers: {x: "${reference("file:/data/x")}"}}}`,
      [],
    ],
    [
      "a secret from another file",
      `exporters: {otlp: {headers: {x: "${reference("file:/etc/x")}"}}}`,
      ["exporters.otlp.headers.x"],
    ],
    ["a harmless reference", `exporters: {otlp: {endpoint: "${reference("env:HOST")}:4317"}}`, []],
  ])("are checked in %s", (_, remote, places) => {
    expect(placesOf(remote, { filePaths })).toEqual(places);
  });
});

describe("listen addresses", () => {
  it.each<[string, string[], boolean]>([
    ["127.0.0.1:4317", ["127.0.0.1"], true],
    ["127.0.0.1:4317", ["127.0.0.1:4317"], true],
    ["127.0.0.1:4317", ["127.0.0.1:4318"], false],
    ["127.0.0.10:4317", ["127.0.0.1"], false],
    ["0.0.0.0:4317", ["*:4317"], true],
    ["0.0.0.0:4318", ["*:4317"], false],
    [":4317", ["127.0.0.1"], false],
    [":4317", ["0.0.0.0"], true],
    ["[::1]:4317", ["[::1]"], true],
    ["[::]:4317", ["[::1]"], false],
    ["LOCALHOST:1", ["localhost"], true],
    ["/run/x.sock", ["/run/x.sock"], true],
    ["/run/x.sock", ["127.0.0.1"], false],
  ])("judge %s with %j allowed", (address, allowed, fine) => {
    expect(isAllowedAddress(address, allowed)).toBe(fine);
  });

  it.each<[string, string, string[]]>([
    [
      "otlp",
      "receivers: {otlp: {protocols: {grpc: {endpoint: 0.0.0.0:4317}, http: null}}}",
      ["receivers.otlp.protocols.grpc.endpoint"],
    ],
    [
      "health_check",
      "extensions: {health_check: {endpoint: 0.0.0.0:13133}}",
      ["extensions.health_check.endpoint"],
    ],
    [
      "syslog",
      "receivers: {syslog: {tcp: {listen_address: 0.0.0.0:1}}}",
      ["receivers.syslog.tcp.listen_address"],
    ],
    [
      "the prometheus exporter",
      "exporters: {prometheus: {endpoint: 0.0.0.0:1}}",
      ["exporters.prometheus.endpoint"],
    ],
    ["an exporter, which does not listen", "exporters: {otlp: {endpoint: 1.2.3.4:1}}", []],
    [
      "own metrics",
      "service: {telemetry: {metrics: {readers: [{pull: {exporter: {prometheus: {host: 0.0.0.0, port: 1}}}}]}}}",
      ["service.telemetry.metrics.readers[0].pull"],
    ],
    [
      "a reference",
      `extensions: {health_check: {endpoint: "${reference("env:X")}:1"}}`,
      ["extensions.health_check.endpoint"],
    ],
    ["unknown components", "receivers: {mystery: null}", ["receivers.mystery"]],
  ])("are checked in %s", (_, remote, places) => {
    expect(placesOf(remote, { listenAddresses: ["127.0.0.1", "localhost"] })).toEqual(places);
  });
});

describe("overriding local files", () => {
  const restrictions = { allowOverride: { localFiles: false } };
  const local = "exporters: {otlp: {endpoint: a, tls: {insecure: false}}}\nservice: {extensions: [x]}";

  it.each<[string, string, string[]]>([
    ["another value", "exporters: {otlp: {endpoint: b}}", ["exporters.otlp.endpoint"]],
    ["the same value", "exporters: {otlp: {endpoint: a}}", []],
    ["a new key", "exporters: {otlp: {timeout: 1s}, nop: null}", []],
    ["removal of a section", "exporters: null", ["exporters"]],
    ["removal of a component", "exporters: {otlp: null}", ["exporters.otlp"]],
    ["more extensions", "service: {extensions: [y]}", []],
  ])("judges %s", (_, remote, places) => {
    expect(placesOf(remote, restrictions, local)).toEqual(places);
  });

  it("allows what the local file overrides in turn", () => {
    const remote = "exporters: {otlp: {endpoint: b}}";
    expect(placesOf(remote, restrictions, local, ["$REMOTE_CONFIG", "local"])).toEqual([]);
  });
});

describe("overriding what the supervisor sets", () => {
  it("judges service.telemetry and the opamp extension", () => {
    const restrictions = { allowOverride: { serviceTelemetry: false, opampExtension: false } };
    expect(placesOf("service: {telemetry: {logs: {level: debug}}}", restrictions)).toEqual([
      "service.telemetry.logs",
    ]);
    expect(placesOf("service: null", restrictions)).toEqual(["service"]);
    expect(placesOf("service::telemetry: null", restrictions)).toEqual(["service.telemetry"]);
    expect(placesOf("extensions::opamp::ppid: 1", restrictions)).toEqual(["extensions.opamp.ppid"]);
    expect(placesOf("service: {extensions: [x]}", restrictions)).toEqual([]);
  });
});
