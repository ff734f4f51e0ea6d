import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { SettingsProblem } from "../../../../src/foundation/settings-file/settings-error.ts";
import { failureOf, load } from "./support.ts";

const example = readFileSync("supervisor.example.yaml", "utf8").replace("/usr/bin/otelcol\n", "/otelcol\n");

/** The example with every commented key active. A file and a PEM text exclude each other: the files stay. */
const everything = example
  .slice(example.indexOf("\nserver:"))
  .split("\n")
  .map((line) => line.replace(/^(\s*)# (\s*(- |# |[\w.-]+:( |$)).*)$/, "$1$2"))
  .filter((line) => !/^\s*((ca|cert|key)_pem|client_id_file|client_secret):/.test(line))
  .map((line) => line.replace("/etc/opampsupervisor/token", "/etc/token"))
  .join("\n");

type Tree = { [key: string]: Tree };

describe("supervisor.example.yaml", () => {
  it("is accepted as it stands, and asks for TLS 1.3", () => {
    const { settings, warnings } = load(example);
    expect(warnings).toEqual([]);
    expect(settings.server.tls.minVersion).toBe("1.3");
    expect(settings.agent.executable).toBe("/otelcol");
  });

  it("shows the defaults: with every comment removed, what is said to be one is what one gets anyway", () => {
    const bare = load("server: {endpoint: ws://h}\nagent: {executable: /otelcol}").settings;
    const full = load(everything).settings;
    const { storage, telemetry } = full;
    expect(storage).toEqual(bare.storage);
    expect(telemetry.logs).toMatchObject({ ...bare.telemetry.logs, processors: [expect.anything()] });
    const { acceptsRemoteConfig, reportsRemoteConfig, acceptsRestartCommand, ...others } = bare.capabilities;
    expect(full.capabilities).toMatchObject(others);
    expect([acceptsRemoteConfig, reportsRemoteConfig, acceptsRestartCommand]).toEqual([false, false, false]);
    const { maxMessageBytes, fallbackAfterMs, certificate } = bare.server;
    expect(full.server).toMatchObject({ maxMessageBytes, fallbackAfterMs, certificate });
    const { mirrors, dropFolder, bytesPerSecond, proxy, trust, ...otherPackages } = full.packages;
    expect(bare.packages).toMatchObject(otherPackages);
    expect(proxy.url).toBeDefined();
    expect([mirrors.length, dropFolder, bytesPerSecond, trust.keys.length]).toEqual([
      2,
      "/media/usb/otel",
      1_048_576,
      1,
    ]);
    const same = [
      "configApplyTimeoutMs",
      "bootstrapTimeoutMs",
      "orphanDetectionIntervalMs",
      "probationMs",
    ] as const;
    const more = [
      "livenessTimeoutMs",
      "opampServerPort",
      "passthroughLogs",
      "log",
      "onSupervisorExit",
      "crashLoop",
    ] as const;
    for (const key of [...same, ...more])
      expect({ [key]: full.agent[key] }).toEqual({ [key]: bare.agent[key] });
  });

  it("has every key that is accepted, and no other", () => {
    const tree = parse(everything) as Tree;
    const known = knownKeys();
    expect(known.size).toBeGreaterThan(15);
    for (const [path, keys] of known) {
      // The keys that all kinds of TLS have are shown once.
      const others = /^(healthcheck|server\.oauth2)(?=\.tls)/;
      const twice = others.test(path) ? (known.get(path.replace(others, "server")) ?? []) : [];
      const shown = Object.keys(at(tree, path));
      const expected = keys.filter(
        (key) =>
          shown.includes(key) ||
          !(twice.includes(key) || /^((ca|cert|key)_pem|client_id_file|client_secret)$/.test(key)),
      );
      expect({ path, keys: shown.sort() }).toEqual({ path, keys: expected.sort() });
    }
    for (const pem of ["ca_pem", "cert_pem", "key_pem"]) expect(example).toContain(`# ${pem}: `);
  });

  it("marks every key that the reference lacks", () => {
    const ours = [
      ...["max_message_size", "pin_sha256", "probation", "liveness_timeout", "log", "on_supervisor_exit"],
      ...["fallback_after", "certificate", "reports_connection_settings_status", "proxy"],
      ...["allowed_redirect_hosts", "memory_limit", "crash_loop", "restrictions", "format"],
      ...["accepts_packages", "reports_package_statuses", "packages"],
      ...["own_telemetry", "figures", "accepts_other_connection_settings"],
      ...["trust", "headers_file", "headers_command", "oauth2"],
    ];
    const lines = example.split("\n");
    for (const key of ours) {
      const index = lines.findIndex((line) => new RegExp(`^( +# )?${key}:`).test(line));
      expect(`${key}: ${lines.slice(index - 2, index).join()}`).toContain("[addition]");
    }
    expect(example.match(/# \[addition\]/g)).toHaveLength(ours.length);
  });
});

/** The keys of every section, as the loader lists them when it meets one that it does not know. */
function knownKeys(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const visit = (path: string) => {
    const keys = keysOf(failureOf(withUnknownKey(path)).problems, path);
    if (keys === undefined) return;
    found.set(path, keys);
    for (const key of keys) visit(path === "" ? key : `${path}.${key}`);
  };
  visit("");
  return found;
}

function withUnknownKey(path: string): string {
  const steps = [...path.split(".").filter((step) => step !== ""), "qqqqqqqq"];
  return steps.map((step, depth) => `${"  ".repeat(depth)}${step}:`).join("\n");
}

function keysOf(problems: readonly SettingsProblem[], path: string): string[] | undefined {
  const problem = problems.find(
    (candidate) => candidate.path === (path === "" ? "qqqqqqqq" : `${path}.qqqqqqqq`),
  );
  return /^unknown key; known keys: (.*)$/.exec(problem?.message ?? "")?.[1]?.split(", ");
}

function at(tree: Tree, path: string): Tree {
  return path
    .split(".")
    .filter((step) => step !== "")
    .reduce<Tree>((node, step) => node[step] ?? {}, tree);
}
