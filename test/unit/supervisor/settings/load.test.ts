// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of settings files look like that
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadSupervisorSettings } from "../../../../src/supervisor/settings/load.ts";
import type { SupervisorSettings } from "../../../../src/supervisor/settings/supervisor-settings.ts";
import { failureOf, fileWith, load } from "./support.ts";

const tlsDefaults = {
  caFile: undefined,
  caPem: undefined,
  includeSystemCaCertsPool: false,
  certFile: undefined,
  certPem: undefined,
  keyFile: undefined,
  keyPem: undefined,
  minVersion: "1.2",
  maxVersion: undefined,
  cipherSuites: [],
  curvePreferences: [],
  reloadIntervalMs: undefined,
  tpm: { enabled: false, path: undefined, ownerAuth: undefined, auth: undefined },
} as const;

const defaults: SupervisorSettings = {
  server: {
    endpoint: "ws://localhost:4320/v1/opamp",
    headers: {},
    headersFile: undefined,
    headersCommand: undefined,
    oauth2: undefined,
    tls: {
      ...tlsDefaults,
      insecure: false,
      insecureSkipVerify: false,
      serverNameOverride: undefined,
      pinSha256: [],
    },
    maxMessageBytes: 64 * 1024 * 1024,
    fallbackAfterMs: 3_600_000,
    certificate: {
      request: false,
      keyType: "ec-p256",
      renewBeforeMs: 7 * 24 * 3_600_000,
      identity: "instance_uid",
    },
    proxy: { url: undefined, connectHeaders: {} },
    allowedRedirectHosts: [],
    digest: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
  },
  capabilities: {
    acceptsRemoteConfig: false,
    acceptsRestartCommand: false,
    acceptsOpampConnectionSettings: false,
    acceptsOtherConnectionSettings: false,
    reportsEffectiveConfig: true,
    reportsOwnMetrics: true,
    reportsOwnLogs: false,
    reportsOwnTraces: false,
    reportsHealth: true,
    reportsRemoteConfig: false,
    reportsAvailableComponents: false,
    reportsHeartbeat: true,
    acceptsPackages: false,
    reportsPackageStatuses: false,
    reportsConnectionSettingsStatus: false,
  },
  storage: { directory: "/var/lib/otelcol/supervisor" },
  agent: {
    executable: "/otelcol",
    instanceId: undefined,
    orphanDetectionIntervalMs: 5_000,
    configApplyTimeoutMs: 5_000,
    bootstrapTimeoutMs: 3_000,
    opampServerPort: 0,
    passthroughLogs: false,
    useHupConfigReload: undefined,
    validateConfig: undefined,
    configFiles: [],
    args: [],
    env: {},
    description: { identifying: {}, nonIdentifying: {} },
    runAs: undefined,
    accessDirs: undefined,
    startupFallbackConfigs: [],
    probationMs: 30_000,
    livenessTimeoutMs: 30_000,
    onSupervisorExit: "keep",
    memoryLimitBytes: undefined,
    figuresIntervalMs: 30_000,
    ownTelemetry: { allowHttp: false },
    crashLoop: { maxExits: 4, windowMs: 60_000 },
    log: { maxBytes: 10 * 1024 * 1024, keep: 1 },
    trust: { configKeys: [], clockSkewMs: 300_000 },
    restrictions: {
      componentTypes: {
        receivers: undefined,
        processors: undefined,
        exporters: undefined,
        connectors: undefined,
        extensions: undefined,
      },
      configProviders: undefined,
      filePaths: undefined,
      listenAddresses: undefined,
      allowOverride: { opampExtension: undefined, serviceTelemetry: undefined, localFiles: undefined },
      maxRemoteConfigBytes: undefined,
    },
  },
  packages: {
    mirrors: [],
    dropFolder: undefined,
    bytesPerSecond: undefined,
    maxBytes: 1024 ** 3,
    maxUnpackedBytes: 4 * 1024 ** 3,
    maxMembers: 10_000,
    stallTimeoutMs: 30_000,
    keep: 1,
    proxy: { url: undefined, connectHeaders: {} },
    trust: { keys: [] },
  },
  telemetry: {
    logs: {
      level: "info",
      format: "auto",
      outputPaths: ["stdout"],
      errorOutputPaths: ["stderr"],
      processors: [],
    },
    metrics: { level: "basic", readers: [] },
    traces: { level: "basic", propagators: [], processors: [], sampler: undefined, limits: undefined },
    resource: {},
  },
  healthcheck: {
    endpoint: undefined,
    transport: "tcp",
    tls: undefined,
    responseHeaders: {},
    maxRequestBodyBytes: undefined,
    readTimeoutMs: undefined,
    readHeaderTimeoutMs: undefined,
    writeTimeoutMs: undefined,
    idleTimeoutMs: undefined,
    keepAlivesEnabled: undefined,
    unusedKeys: [],
  },
};

describe("supervisor.yaml", () => {
  it("has the reference's defaults", () => {
    expect(load(fileWith("server")).settings).toEqual(defaults);
  });

  it("has them too where sections and keys stand without a value", () => {
    const text = `${fileWith("server", "headers:", "tls:")}
  config_files:
  args: ~
  description:
  restrictions:
  log:
capabilities:
  reports_own_metrics:
storage:
  directory:
telemetry:
  logs:
    level:
    output_paths:
healthcheck:
`;
    expect(load(text).settings).toEqual(defaults);
  });

  it("is read from disk, with an executable relative to the working directory", () => {
    const directory = mkdtempSync(join(tmpdir(), "supervisor-settings-"));
    try {
      const path = join(directory, "supervisor.yaml");
      writeFileSync(path, "server: {endpoint: ws://localhost:1}\nagent: {executable: ./package.json}\n");
      expect(loadSupervisorSettings(path).settings.agent.executable).toBe("./package.json");
      writeFileSync(path, "server: {endpoint: ws://localhost:1}\nagent: {executable: ./nope}\n");
      expect(() => loadSupervisorSettings(path)).toThrow(
        `cannot validate supervisor config ${path}: ${path}:2:9: `,
      );
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it.each(["true", "'True'"])("needs no executable with accepts_packages: %s (AP1)", (written) => {
    const withAgent = (agent: string) =>
      `server: {endpoint: ws://h}\ncapabilities: {accepts_packages: ${written}}\n${agent}`;
    for (const agent of ["", "agent: {executable: }", "agent: {executable: ''}"]) {
      expect(load(withAgent(agent)).settings.agent.executable).toBeUndefined();
    }
    expect(load(withAgent("agent: {executable: ./later}")).settings.agent.executable).toBe("./later");
    const { problems } = failureOf(withAgent("agent: {executable: [], args: {}}"));
    expect(problems.map(({ path }) => path)).toEqual(["agent.executable", "agent.args"]);
  });

  it.each([
    ["accepts_packages: true", true],
    ["accepts_packages: true, reports_package_statuses: false", false],
    ["accepts_packages: false, reports_package_statuses: true", true],
  ])("reports package statuses with {%s}: %s (AP1)", (written, reports) => {
    const { capabilities } = load(`${fileWith("server")}\ncapabilities: {${written}}`).settings;
    expect(capabilities.reportsPackageStatuses).toBe(reports);
  });

  it.each(["http://h/v1/opamp", "https://h", "ws://h:1", "wss://h"])("takes the endpoint %s", (endpoint) => {
    const text = `server: {endpoint: "${endpoint}"}\nagent: {executable: /otelcol}`;
    expect(load(text).settings.server.endpoint).toBe(endpoint);
  });

  it.each([
    ["debug", "debug"],
    ["WARN", "warn"],
    ["warning", "warn"],
    ["'0'", "info"],
    ["0", "info"],
    ["-1", "debug"],
    ["2", "error"],
    ["dpanic", "fatal"],
    ["5", "fatal"],
    ["trace", "trace"],
    ["''", "info"],
  ])("takes zap's log level %s as %s", (written, level) => {
    expect(load(fileWith("telemetry", `logs: {level: ${written}}`)).settings.telemetry.logs.level).toBe(
      level,
    );
  });

  it.each([
    "018fee23-4a51-7303-a441-73faed7d9deb",
    "018FEE234A517303A44173FAED7D9DEB",
    "urn:uuid:018fee23-4a51-7303-a441-73faed7d9deb",
    "'{018fee23-4a51-7303-a441-73faed7d9deb}'",
  ])("takes the instance id %s", (written) => {
    const { agent } = load(fileWith("agent", `instance_id: ${written}`)).settings;
    expect(agent.instanceId).toBe("018fee23-4a51-7303-a441-73faed7d9deb");
  });

  it("refuses an instance id of zeros (AI5)", () => {
    const { message } = failureOf(fileWith("agent", "instance_id: 00000000-0000-0000-0000-000000000000"));
    expect(message).toContain("agent::instance_id must be a valid UUID");
  });

  it.each(["true", "false"])(
    "tells use_hup_config_reload and validate_config: %s from their absence",
    (value) => {
      const { agent } = load(
        fileWith("agent", `use_hup_config_reload: ${value}`, `validate_config: "${value}"`),
      ).settings;
      expect([agent.useHupConfigReload, agent.validateConfig]).toEqual([value === "true", value === "true"]);
    },
  );

  it("takes pins in base64, curl's form and hexadecimal", () => {
    const base64 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    const hex = Buffer.from(base64, "base64").toString("hex");
    const { tls } = load(
      fileWith("server", `tls: {pin_sha256: ["${base64}", "sha256//${base64}", "${hex}"]}`),
    ).settings.server;
    expect(tls.pinSha256).toEqual([base64, base64, base64]);
  });

  it("takes a socket as health endpoint", () => {
    const { healthcheck } = load(
      fileWith("healthcheck", "transport: unix", "endpoint: /run/h.sock"),
    ).settings;
    expect(healthcheck.endpoint).toEqual({ path: "/run/h.sock" });
  });

  it("tells an empty restriction, which allows nothing, from none", () => {
    const { restrictions } = load(fileWith("agent", "restrictions: {config_providers: [], file_paths: ''}"))
      .settings.agent;
    expect(restrictions).toMatchObject({ configProviders: [], filePaths: [], listenAddresses: undefined });
  });

  it("wants restricted paths from the root, since others would allow nothing", () => {
    expect(() => load(fileWith("agent", "restrictions: {file_paths: [/a, logs]}"))).toThrow(
      /agent\.restrictions\.file_paths\[1\]: expected an absolute path, got "logs"/,
    );
  });

  it("warns, where it is only checked, of every file that is named and not there", () => {
    const text = [
      "server: {endpoint: wss://h, headers_file: /h, tls: {ca_file: /ca, cert_file: /c, key_file: /k}}",
      "agent: {executable: /e, config_files: [/l], trust: {config_keys: [/t]}}",
      "packages: {trust: {keys: [/p]}}",
    ].join("\n");
    const stat = (path: string) => {
      if (path !== "/e" && path !== "/c") throw new Error("ENOENT");
    };
    const checked = (checkOnly: boolean) =>
      loadSupervisorSettings("s.yaml", { env: {}, readFile: () => text, stat, checkOnly }).warnings;
    expect(checked(true)).toEqual(
      [
        ["server.tls.ca_file", "/ca"],
        ["server.tls.key_file", "/k"],
        ["server.headers_file", "/h"],
        ["agent.config_files", "/l"],
        ["agent.trust.config_keys", "/t"],
        ["packages.trust.keys", "/p"],
      ].map(([key, path]) => `s.yaml: ${key}: there is no ${path} on this machine`),
    );
    expect(checked(false)).toEqual([]);
  });

  it("warns of keys that have no effect", () => {
    const text = fileWith("healthcheck", "auth: {authenticator: x}", "cors:", "include_metadata: false");
    expect(load(text).warnings).toEqual([
      "s.yaml: healthcheck.auth: has no effect here",
      "s.yaml: healthcheck.include_metadata: has no effect here",
    ]);
    const [accessDirs] = load(fileWith("agent", "access_dirs: {read: {allow: [/a]}}")).warnings;
    expect(accessDirs).toMatch(/^s.yaml: agent.access_dirs: has no effect here; .*restrictions.file_paths/);
    expect(load(fileWith("server", "tls: {reload_interval: 1m}")).warnings).toEqual([]);
    expect(load(fileWith("server", "tls: {tpm: {enabled: true}}")).warnings).toEqual([
      "s.yaml: server.tls.tpm: has no effect here",
    ]);
  });
});
