import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { defaultServerSettings, loadServerSettings } from "../../../../src/server/settings/load.ts";

const load = (text: string, env: Record<string, string> = {}) =>
  loadServerSettings("server.yaml", { env, readFile: () => text }).settings;

const example = readFileSync(
  fileURLToPath(new URL("../../../../server.example.yaml", import.meta.url)),
  "utf8",
);
const uncommented = example
  // Its files are of an authority, not of a listener.
  .replace(/^certificates:[\s\S]*?(?=^telemetry:)/m, "")
  .replaceAll(/^( +)# ( *)(tls:|(?:cert|key|client_ca)_|min_version:)/gm, "$1$2$3");

describe("defaultServerSettings", () => {
  it("serves Agents everywhere, and operators, who are not asked who they are, on this machine only", () => {
    expect(defaultServerSettings()).toEqual({
      opamp: {
        address: { host: "0.0.0.0", port: 4320 },
        path: "/v1/opamp",
        tls: undefined,
        maxMessageBytes: 64 * 1024 * 1024,
        maxConnections: 20_000,
        heartbeatIntervalMs: 30_000,
        drainMs: 5_000,
      },
      management: {
        address: { host: "127.0.0.1", port: 4321 },
        tls: undefined,
        maxBodyBytes: 8 * 1024 * 1024,
      },
      rollouts: { defaultStrategy: "default", prometheusUrl: undefined },
      validation: { collector: undefined, timeoutMs: 30_000 },
      secrets: {},
      storage: { directory: undefined, postgresUrl: undefined },
      access: {
        required: undefined,
        adminKeyFile: undefined,
        oidc: undefined,
        addresses: undefined,
        roleAddresses: { viewer: undefined, operator: undefined, admin: undefined },
        keyLifetimeMs: 90 * 86_400_000,
        agents: { required: false, jwt: undefined, addresses: undefined },
      },
      fleet: { staleAfterMs: 300_000, forgetAfterMs: 2_592_000_000 },
      certificates: {
        authority: undefined,
        lifetimeMs: 90 * 86_400_000,
        approval: "automatic",
        renewBeforeMs: 7 * 86_400_000,
      },
      notifications: { webhooks: [], slack: [], email: undefined, lostAgents: 0.05 },
      logs: { level: "info", format: "auto", outputPaths: ["stdout"] },
      metrics: { labels: [] },
    });
  });
});

describe("server.example.yaml", () => {
  it("states the defaults", () => {
    expect(load(example)).toEqual(defaultServerSettings());
  });

  it("explains TLS keys that are real, as files and as text, and asks for TLS 1.3", () => {
    const files = load(uncommented.replaceAll(/^ +\w+_pem:.*\n/gm, ""));
    expect(files.opamp.tls).toEqual({
      certificate: { file: "/etc/opamp-server/server.crt" },
      key: { file: "/etc/opamp-server/server.key" },
      clientCa: { file: "/etc/opamp-server/agents-ca.crt" },
      minVersion: "1.3",
    });
    expect(files.management.tls).toMatchObject({ clientCa: undefined, minVersion: "1.3" });
    const texts = load(uncommented.replace(/^management:[\s\S]*/m, "").replaceAll(/^ +\w+_file:.*\n/gm, ""), {
      OPAMP_SERVER_CERT: "CERT",
      OPAMP_SERVER_KEY: "KEY",
      OPAMP_AGENTS_CA: "CA",
    });
    expect(texts.opamp.tls).toEqual({
      certificate: { pem: "CERT" },
      key: { pem: "KEY" },
      clientCa: { pem: "CA" },
      minVersion: "1.3",
    });
  });
});

describe("server.yaml", () => {
  it("takes values from the environment", () => {
    const env = { PORT: "5000", LEVEL: "debug" };
    // biome-ignore lint/suspicious/noTemplateCurlyInString: this is what a settings file says.
    const text = "opamp: {endpoint: '[::1]:${env:PORT}'}\ntelemetry: {logs: {level: '${env:LEVEL}'}}\n";
    expect(load(text, env)).toMatchObject({
      opamp: { address: { host: "::1", port: 5000 } },
      logs: { level: "debug" },
    });
  });

  it("reads 1.3 without quotes as a TLS version", () => {
    const text = "opamp: {tls: {cert_file: a, key_file: b, min_version: 1.3}}\n";
    expect(load(text).opamp.tls?.minVersion).toBe("1.3");
  });

  it.each([
    ["opamp:\n  endpont: a:1\n", /server\.yaml:2:3: opamp\.endpont: unknown key; did you mean endpoint/],
    ["opamp:\n  endpoint: 4320\n", /server\.yaml:2:3: opamp\.endpoint: expected an address/],
    ["opamp:\n  path: v1\n", /opamp\.path: expected a path that begins with \/, got "v1"/],
    ["opamp:\n  heartbeat_interval: 30\n", /opamp\.heartbeat_interval: expected a duration/],
    ["opamp:\n  max_message_size: big\n", /opamp\.max_message_size: expected a size/],
    ["opamp:\n  tls: {key_file: b}\n", /server\.yaml:2:3: opamp\.tls: needs cert_file or cert_pem/],
    ["opamp:\n  tls: {cert_file: b}\n", /opamp\.tls: needs key_file or key_pem/],
    [
      "opamp:\n  tls: {cert_file: a, cert_pem: b, key_file: c}\n",
      /opamp\.tls: set cert_file or cert_pem, not both/,
    ],
    [
      "management:\n  tls: {cert_file: a, key_file: b, min_version: 1.1}\n",
      /management\.tls\.min_version: expected one of 1\.2, 1\.3/,
    ],
    ["telemetry: {logs: {level: loud}}\n", /telemetry\.logs\.level: expected one of trace/],
    ["a: 1\n  b: 2\n", /invalid YAML/],
  ])("refuses %j", (text, message) => {
    expect(() => load(text)).toThrow(message);
  });
});
