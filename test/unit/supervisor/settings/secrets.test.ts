// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of settings files look like that
import { describe, expect, it } from "vitest";
import { failureOf, fileWith, load } from "./support.ts";

describe("secrets of supervisor.yaml", () => {
  it("are what references stand for, header values, keys and passwords, wherever they were written", () => {
    const text = `server:
  endpoint: wss://me:pa%ss@h
  proxy: {url: "http://me:pr0xy@h:1", connect_headers: {Proxy-Authorization: "Bearer pr1xy"}}
  headers: {Authorization: "Bearer \${file:/etc/token}", X-Key: [k1, k2], Y: "Basic b64"}
  tls: {cert_pem: CERT, key_pem: "\${env:KEY}", tpm: {auth: tpm1, owner_auth: tpm2}}
agent: {executable: /otelcol}
packages: {proxy: {url: "socks5://me:pr2xy@h"}, mirrors: ["https://me:m1rror@h/a", "https://h/b?sig=s1g"]}
telemetry:
  logs: {processors: [{batch: {exporter: {otlp: {protocol: grpc, headers: {api-key: h1}, endpoint: "http://u:h6@e"}}}}]}
  metrics: {readers: [{periodic: {exporter: {otlp: {protocol: http/json, headers: [{name: n, value: h2}]}}}}]}
  traces: {processors: [{simple: {exporter: {otlp: {protocol: http/json, headers_list: "a=h3,b=h4"}}}}]}
healthcheck: {response_headers: {Z: h5}}
`;
    const { secrets } = load(text, { KEY: "PEM KEY" });
    const expected = [
      "t0ken",
      "Bearer t0ken",
      "k1",
      "k2",
      "Basic b64",
      "b64",
      "PEM KEY",
      "pa%ss",
      "tpm1",
      "tpm2",
      "m1rror",
      "sig=s1g",
      ...["pr0xy", "pr1xy", "pr2xy"],
    ];
    expect([...secrets]).toEqual(expect.arrayContaining([...expected, "h1", "h2", "h3", "h4", "h5", "h6"]));
    for (const open of ["CERT", "http://u:h6@e", "n", "/otelcol", ""]) expect(secrets).not.toContain(open);
  });

  it.each([
    ["server", "endpoint: ${env:S}"],
    ["server", "endpoint: ftp://u:s3cr3t@h"],
    ["server", "endpoint: 'wss://u:s3cr3t@:h'"],
    ["server", "headers: {A: {x: s3cr3t}}"],
    ["server", "headers: s3cr3t"],
    ["server", "proxy: {url: 'socks4://u:s3cr3t@h'}"],
    ["server", "tls: {key_pem: [s3cr3t]}"],
    ["server", "tls: {min_version: '${env:S}'}"],
    ["server", "tls: {pin_sha256: '${env:S}'}"],
    ["packages", "mirrors: ['ftp://u:s3cr3t@h', 'file://s3cr3t/a', '${env:S}']"],
    ["agent", "executable: /${env:S}"],
    ["agent", "instance_id: ${env:S}"],
    ["agent", "config_files: ['$${env:D}${env:S}', '${env:M}']"],
    ["agent", "bootstrap_timeout: ${env:S}"],
    ["telemetry", "logs: {level: '${env:S}'}"],
    ["telemetry", "metrics: {level: '${env:S}'}"],
    [
      "telemetry",
      "logs: {processors: [{simple: {exporter: {otlp: {endpoint: '${env:S}', protocol: grpc}}}}]}",
    ],
    [
      "telemetry",
      "logs: {processors: [{simple: {exporter: {otlp: {headers: '${env:S}', protocol: grpc}}}}]}",
    ],
    ["telemetry", "logs: {processors: [{simple: {exporter: {'${env:S}': {}}}}]}"],
    ["healthcheck", "endpoint: h:${env:S}"],
  ])("do not show in the error about %s %s", (section, line) => {
    const { message } = failureOf(fileWith(section, line), { S: "s3cr3t", M: "$s3cr3t", D: "" });
    expect(message).not.toContain("s3cr3t");
  });
});
