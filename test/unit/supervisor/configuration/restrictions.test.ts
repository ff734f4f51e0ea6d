import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { AgentRemoteConfigSchema } from "../../../../src/opamp/messages.ts";
import { isAllowedAddress } from "../../../../src/supervisor/configuration/allowed-addresses.ts";
import { allowPaths } from "../../../../src/supervisor/configuration/allowed-paths.ts";
import { compose } from "../../../../src/supervisor/configuration/compose.ts";
import { findReferences } from "../../../../src/supervisor/configuration/references.ts";
import {
  checkRestrictions,
  type Restrictions,
} from "../../../../src/supervisor/configuration/restrictions.ts";
import { tempDir } from "../../../support/temp-dir.ts";

function violationsOf(remote: string, restrictions: Restrictions, local = "", order: string[] = ["local"]) {
  const configMap = { "": { body: new TextEncoder().encode(remote) } };
  const composition = compose({
    configFiles: order,
    localFiles: { local },
    acceptsRemoteConfig: true,
    remote: create(AgentRemoteConfigSchema, { config: { configMap } }).config,
    ownTelemetry: undefined,
    pemPath: (pem) => `/pem/${pem}`,
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
    expect([...findReferences(`a${reference("env:X")}b${reference("file:/y")}`)]).toMatchObject([
      { scheme: "env", body: "X", whole: false },
      { scheme: "file", body: "/y", whole: false },
    ]);
    expect([...findReferences(reference("X"))]).toMatchObject([{ scheme: "env", body: "X", whole: true }]);
    expect([...findReferences("} ${ {")]).toEqual([]);
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
    expect(allowPaths(filePaths)(path) === undefined).toBe(fine);
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
    [
      "the debug exporter, which can write files",
      "exporters: {debug: {output_paths: [stdout, /etc/x, /var/log/x]}}",
      ["exporters.debug.output_paths[1]"],
    ],
    [
      "operators that are an input",
      "receivers: {tcplog: {operators: [{type: file_input, include: [/etc/x]}, {type: file_output, path: /etc/y}]}}",
      ["receivers.tcplog.operators[0].include[0]", "receivers.tcplog.operators[1].path"],
    ],
    [
      "a file URL under any key",
      "exporters: {pulsar: {auth: {athenz: {private_key: 'file:///etc/x'}}}}",
      ["exporters.pulsar.auth.athenz.private_key"],
    ],
    [
      "Unix sockets",
      `receivers:
        otlp: {protocols: {grpc: {endpoint: /etc/a.sock, transport: unix}, http: {endpoint: b.sock, transport: unix}}}
        fluentforward: {endpoint: "unix:///etc/c.sock"}
        statsd: {endpoint: /data/d.sock, transport: unixgram}`,
      [
        "receivers.otlp.protocols.grpc.endpoint",
        "receivers.otlp.protocols.http.endpoint",
        "receivers.fluentforward.endpoint",
      ],
    ],
    [
      "default directories",
      "extensions: {file_storage: {compaction: {on_start: true}}}\nreceivers: {journald: {directory: null}}",
      [
        "extensions.file_storage.directory (by default)",
        "extensions.file_storage.compaction.directory (by default)",
      ],
    ],
    [
      "directories in place of the default ones",
      "extensions: {file_storage: {directory: /data}}\nreceivers: {journald: {files: [/data/a]}}",
      [],
    ],
    ["a harmless reference", `exporters: {otlp: {endpoint: "${reference("env:HOST")}:4317"}}`, []],
  ])("are checked in %s", (_, remote, places) => {
    expect(placesOf(remote, { filePaths })).toEqual(places);
  });
});

describe("symbolic links", () => {
  function directories() {
    const root = tempDir();
    for (const name of ["allowed/inner", "secret"]) mkdirSync(join(root, name), { recursive: true });
    symlinkSync("../secret", join(root, "allowed/out"));
    symlinkSync(join(root, "allowed/inner"), join(root, "allowed/in"));
    symlinkSync("../nowhere", join(root, "allowed/dangling"));
    symlinkSync("loop", join(root, "allowed/loop"));
    symlinkSync("allowed", join(root, "link"));
    return root;
  }

  it.each<[string, boolean]>([
    ["allowed/inner/x", true],
    ["allowed/new/x", true],
    ["allowed/in/x", true],
    ["allowed/out", false],
    ["allowed/out/x", false],
    ["allowed/out/*.log", false],
    ["allowed/inner/../out/x", false],
    ["allowed/in/../x", true],
    // The kernel takes `..` from where the link leads to.
    ["allowed/out/../x", false],
    ["allowed/dangling", false],
    ["allowed/loop/x", false],
    ["link/inner/x", false],
  ])("are followed: %s", (path, fine) => {
    const root = directories();
    expect(allowPaths([join(root, "allowed")])(`${root}/${path}`) === undefined).toBe(fine);
  });

  it("may be the allowed directory itself", () => {
    const root = directories();
    expect(allowPaths([join(root, "link")])(`${root}/link/inner/x`)).toBeUndefined();
    expect(allowPaths([join(root, "link")])(`${root}/link/out/x`)).toMatch(/by a symbolic link/);
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

describe("addresses that are not written", () => {
  const quiet = "\nservice: {telemetry: {metrics: {level: none}}}";

  it.each<[string, string]>([
    ["receivers: {otlp: {protocols: {grpc: }}}", "localhost:4317"],
    ["receivers: {otlp: {protocols: {http: {}}}}", "localhost:4318"],
    ["receivers: {otlp/2: {protocols: {http: {endpoint: null, cors: {}}}}}", "localhost:4318"],
    ["receivers: {jaeger: {protocols: {thrift_compact: }}}", "localhost:6831"],
    ["receivers: {zipkin: }", "localhost:9411"],
    ["receivers: {splunk_hec: {}}", "localhost:8088"],
    ["receivers: {statsd: {}}", "localhost:8125"],
    ["processors: {remotetap: }", "localhost:12001"],
    ["extensions: {health_check: }", "localhost:13133"],
    ["extensions: {zpages: }", "localhost:55679"],
    ["extensions: {pprof: {block_profile_fraction: 3}}", "localhost:1777"],
    ["extensions: {jaegerremotesampling: {http: }}", "localhost:5778"],
  ])("are checked as if they were: %s", (remote, address) => {
    const [, port] = address.split(":");
    expect(violationsOf(remote + quiet, { listenAddresses: [address] })).toEqual([]);
    const [line = "", ...others] = violationsOf(remote + quiet, { listenAddresses: ["127.0.0.1", "*:1"] });
    expect(line).toMatch(/by default\): listening on "localhost:\d+" is not allowed$/);
    expect(line).toContain(port);
    expect(others).toEqual([]);
  });

  it("may be anything where there is no default", () => {
    const remote = `exporters: {prometheus: {}}${quiet}`;
    expect(placesOf(remote, { listenAddresses: ["localhost"] })).toEqual([
      "exporters.prometheus.endpoint (by default)",
    ]);
  });

  it("are not those of another key that takes the place", () => {
    const remote = `receivers: {zipkin: {protocols: {http: {endpoint: "h:1"}}}}
extensions: {health_check: {use_v2: true, http: {endpoint: "h:1"}}}${quiet}`;
    expect(violationsOf(remote, { listenAddresses: ["h"] })).toEqual([]);
    const disguised = `extensions: {health_check: {use_v2: false, http: {endpoint: "h:1"}}}${quiet}`;
    expect(placesOf(disguised, { listenAddresses: ["h"] })).toEqual([
      "extensions.health_check.endpoint (by default)",
    ]);
  });

  it("may come from a local file", () => {
    const local = "receivers: {otlp: {protocols: {grpc: {endpoint: 10.0.0.1:1}}}}";
    const more = `receivers: {otlp: {protocols: {grpc: {max_recv_msg_size_mib: 4}}}}${quiet}`;
    expect(violationsOf(more, { listenAddresses: [] }, local)).toEqual([]);
    const removed = `receivers: {otlp: {protocols: {grpc: null}}}${quiet}`;
    expect(placesOf(removed, { listenAddresses: [] }, local)).toEqual([
      "receivers.otlp.protocols.grpc.endpoint (by default)",
    ]);
  });

  it("cannot hide behind a reference", () => {
    const remote = `receivers: {otlp: {protocols: "${reference("env:X")}"}}${quiet}`;
    expect(placesOf(remote, { listenAddresses: ["localhost"] })).toEqual(["receivers.otlp.protocols"]);
  });

  describe("of the Collector's own metrics", () => {
    const listenAddresses = ["localhost:1"];
    const place = /^service.telemetry.metrics .*listening on "localhost:8888" is not allowed/;

    it.each<[string, string, string]>([
      ["nothing is said of them", "receivers: {nop: }", ""],
      ["the level is another", "service: {telemetry: {metrics: {level: detailed}}}", ""],
      ["readers are removed", "service: {telemetry: {metrics: {readers: null}}}", ""],
      [
        "what turns them off is removed",
        "service: {telemetry: {metrics: null}}",
        "service: {telemetry: {metrics: {level: none}}}",
      ],
    ])("are on 8888 when %s", (_, remote, local) => {
      expect(violationsOf(remote, { listenAddresses }, local).join("; ")).toMatch(place);
      expect(violationsOf(remote, { listenAddresses: ["localhost:8888"] }, local)).toEqual([]);
    });

    it.each<[string, string, string]>([
      ["the server turns them off", "service: {telemetry: {metrics: {level: None}}}", ""],
      ["there are other readers", "service: {telemetry: {metrics: {readers: [{periodic: {}}]}}}", ""],
      ["a local file turns them off", "receivers: {nop: }", "service: {telemetry: {metrics: {level: none}}}"],
      ["a local file has them there anyway", "receivers: {nop: }", "exporters: {nop: }"],
      ["there is no remote configuration", "", ""],
    ])("are not the server's doing when %s", (_, remote, local) => {
      expect(violationsOf(remote, { listenAddresses }, local)).toEqual([]);
    });

    it("are checked under every name of the exporter, and without a host are everywhere", () => {
      const remote = (exporter: string) =>
        `service: {telemetry: {metrics: {readers: [{pull: {exporter: ${exporter}}}]}}}`;
      const where = ["service.telemetry.metrics.readers[0].pull"];
      expect(
        placesOf(remote("{prometheus/development: {host: 0.0.0.0, port: 1}}"), { listenAddresses }),
      ).toEqual(where);
      expect(placesOf(remote("{prometheus: {port: 1}}"), { listenAddresses })).toEqual(where);
      expect(placesOf(remote("{prometheus: {host: localhost, port: 1}}"), { listenAddresses })).toEqual([]);
    });
  });
});

it("AC9 does not list a hundred thousand violations", () => {
  const remote = `receivers: {${Array.from({ length: 1000 }, (_, n) => `nop/${n}: `).join()}}`;
  const violations = violationsOf(remote, { componentTypes: { receivers: [] } });
  expect(violations).toHaveLength(51);
  expect(violations.at(-1)).toBe("and more");
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
