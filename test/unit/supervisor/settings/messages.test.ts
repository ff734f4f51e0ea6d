// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of settings files look like that
import { describe, expect, it } from "vitest";
import { failureOf, fileWith } from "./support.ts";

describe("supervisor.yaml, when it is wrong", () => {
  it.each([
    ["server", "endpoint: ''", 2, "server.endpoint", "server::endpoint must be specified"],
    [
      "server",
      "endpoint: ${env:NOPE}",
      2,
      "server.endpoint",
      "server::endpoint must be specified (${env:NOPE} is empty)",
    ],
    [
      "server",
      "endpoint: ftp://h",
      2,
      "server.endpoint",
      'invalid scheme "ftp" for server::endpoint, must be one of "http", "https", "ws", or "wss"',
    ],
    ["server", "endpoint: '\u007f://h'", 2, "server.endpoint", "invalid URL for server::endpoint: expected"],
    [
      "server",
      "tls: {ca_file: a, ca_pem: b}",
      3,
      "server.tls",
      "invalid server::tls settings: set ca_file or ca_pem, not both",
    ],
    [
      "server",
      "tls: {cert_file: a, cert_pem: b}",
      3,
      "server.tls",
      "invalid server::tls settings: set cert_file or cert_pem",
    ],
    [
      "server",
      "tls: {key_file: a, key_pem: b}",
      3,
      "server.tls",
      "invalid server::tls settings: set key_file or key_pem",
    ],
    [
      "server",
      "tls: {key_file: a}",
      3,
      "server.tls",
      "invalid server::tls settings: a certificate needs its key",
    ],
    [
      "server",
      "tls: {max_version: 1.1}",
      3,
      "server.tls",
      "invalid server::tls settings: min_version is above max_version",
    ],
    [
      "server",
      "tls: {min_version: 2}",
      3,
      "server.tls.min_version",
      "invalid TLS min_version: expected one of",
    ],
    [
      "server",
      "tls: {max_version: x}",
      3,
      "server.tls.max_version",
      "invalid TLS max_version: expected one of",
    ],
    ["server", "tls: {pin_sha256: [abc]}", 3, "server.tls.pin_sha256[0]", "expected a SHA-256 in base64"],
    [
      "server",
      "max_message_size: 1",
      3,
      "server.max_message_size",
      "expected a size of 65536 bytes or more, got 1",
    ],
    ["agent", "executable: ''", 4, "agent.executable", "agent::executable must be specified"],
    [
      "agent",
      "executable: ./nope",
      4,
      "agent.executable",
      'could not stat agent::executable path: "./nope": ENOENT; install the Collector there or correct the path',
    ],
    [
      "agent",
      "orphan_detection_interval: 0s",
      5,
      "agent.orphan_detection_interval",
      "agent::orphan_detection_interval must be positive",
    ],
    [
      "agent",
      "bootstrap_timeout: -1s",
      5,
      "agent.bootstrap_timeout",
      "agent::bootstrap_timeout must be positive",
    ],
    [
      "agent",
      "config_apply_timeout: 0",
      5,
      "agent.config_apply_timeout",
      "agent::config_apply_timeout must be valid duration",
    ],
    [
      "agent",
      "opamp_server_port: 65536",
      5,
      "agent.opamp_server_port",
      "agent::opamp_server_port must be a valid port number",
    ],
    [
      "agent",
      "opamp_server_port: -1",
      5,
      "agent.opamp_server_port",
      "agent::opamp_server_port must be a valid port number",
    ],
    [
      "agent",
      "instance_id: abc",
      5,
      "agent.instance_id",
      'agent::instance_id must be a valid UUID string when set: got "abc"',
    ],
    [
      "agent",
      "config_files: [a.yaml, $FOO]",
      5,
      "agent.config_files[1]",
      'agent::config_files contains invalid special file: "$FOO". Must be one of [$OWN_TELEMETRY_CONFIG $OPAMP_EXTENSION_CONFIG $REMOTE_CONFIG]',
    ],
    ["agent", "on_supervisor_exit: leave", 5, "agent.on_supervisor_exit", "expected one of keep, stop"],
    ["agent", "config_validation: true", 5, "agent.config_validation", "unknown key"],
    ["agent", "log: {max_size: 1KiB}", 5, "agent.log.max_size", "expected a size of 65536 bytes or more"],
    [
      "agent",
      "crash_loop: {max_exits: 0}",
      5,
      "agent.crash_loop.max_exits",
      "expected a whole number, 1 or more",
    ],
    [
      "capabilities",
      "accepts_packages: perhaps",
      6,
      "capabilities.accepts_packages",
      'expected true or false, got "perhaps"',
    ],
    [
      "packages",
      "mirrors: [ftp://h]",
      6,
      "packages.mirrors[0]",
      "invalid URL of a mirror: expected an address such as https://mirror.example.com/otel or file:///srv/mirror",
    ],
    ["packages", "mirrors: [mirror]", 6, "packages.mirrors[0]", "invalid URL of a mirror"],
    ["packages", "mirrors: ['file://srv/m']", 6, "packages.mirrors[0]", "three slashes: file:///srv/mirror"],
    ["packages", "stall_timeout: 0", 6, "packages.stall_timeout", "expected a duration longer than 0"],
    ["packages", "bandwidth_limit: 0", 6, "packages.bandwidth_limit", "expected a size of 1 bytes or more"],
    ["packages", "max_size: fast", 6, "packages.max_size", "expected a size such as 64MiB"],
    ["packages", "max_members: 0", 6, "packages.max_members", "expected a whole number, 1 or more"],
    ["packages", "keep: -1", 6, "packages.keep", "expected a whole number, 0 to 100"],
    ["packages", "trust: {keys: []}", 6, "packages.trust.keys", "expected at least one; leave the key out"],
    [
      "agent",
      "trust: {config_keys: []}",
      5,
      "agent.trust.config_keys",
      "expected at least one; leave the key",
    ],
    ["agent", "trust: {config_keys: }", 5, "agent.trust.config_keys", "expected at least one; leave the key"],
    [
      "agent",
      "trust: {config_keys: '${env:NOPE}'}",
      5,
      "agent.trust.config_keys",
      "expected at least one; leave the key out to do without",
    ],
    [
      "server",
      "tls: {pin_sha256: []}",
      3,
      "server.tls.pin_sha256",
      "expected at least one; leave the key out",
    ],
    ["packages", "trust: {keys: {}}", 6, "packages.trust.keys", "expected a list or text, got a map"],
    ["telemetry", "logs: {level: loud}", 6, "telemetry.logs.level", "expected a log level: debug, info"],
    ["telemetry", "logs: {format: xml}", 6, "telemetry.logs.format", "expected one of json, terminal, auto"],
    [
      "telemetry",
      "metrics: {level: some}",
      6,
      "telemetry.metrics.level",
      "expected one of none, basic, normal, detailed",
    ],
    [
      "healthcheck",
      "endpoint: localhost:-1",
      6,
      "healthcheck.endpoint",
      "healthcheck::endpoint must contain a valid port number, got -1",
    ],
    [
      "healthcheck",
      "tls: {cert_file: a, key_file: b, key_pem: c}",
      6,
      "healthcheck.tls",
      "invalid healthcheck::tls settings: set key_file",
    ],
    ["healthcheck", "tls: {}", 6, "healthcheck.tls", "invalid healthcheck::tls settings: set a certificate"],
  ])("refuses %s %s", (section, line, number, path, message) => {
    const text = fileWith(section, line);
    const error = failureOf(text);
    expect(error.message).toContain(`cannot validate supervisor config s.yaml: s.yaml:${number}:`);
    expect(error.problems).toEqual([
      expect.objectContaining({ path, line: number, message: expect.stringContaining(message) }),
    ]);
  });

  it("that is empty is told both keys that must be there", () => {
    expect(failureOf("").message).toBe(
      "cannot validate supervisor config s.yaml:\n  s.yaml:1:1: server.endpoint: server::endpoint must be specified\n  s.yaml:1:1: agent.executable: agent::executable must be specified",
    );
  });
});
