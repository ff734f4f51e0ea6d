import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { appendFile, chmod, chown, symlink } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it, onTestFinished } from "vitest";
import { ConnectionSettingsOffersSchema } from "../../../src/opamp/messages.ts";
import { mountSmallState } from "../../support/fault-host.ts";
import { operate, runCommand } from "../../support/run-command.ts";
import { launcher, type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";

/** One for each place in which a host may hold a secret. */
const planted = {
  header: "planted-exporter-header-01",
  url: "planted-url-password-02",
  query: "planted-query-token-03",
  env: "planted-collector-env-04",
  plainEnv: "planted-under-a-plain-name-05",
  supervisorEnv: "planted-supervisor-env-06",
  file: "planted-file-content-07",
  comment: "planted-comment-08",
  pem: "plantedPrivateKeyInPem09",
  log: "planted-old-log-secret-10",
  kept: "planted-kept-header-11",
  ownKey: "plantedOwnKey12",
  proxy: "planted-proxy-password-13",
  telemetry: "planted-own-telemetry-14",
  corrupt: "planted-in-a-corrupt-file-15",
  requested: "plantedRequestedKey16",
  multi: "planted-second-line-of-file-17",
};

const pem = (text: string) => `-----BEGIN PRIVATE KEY-----\n${text}\n-----END PRIVATE KEY-----\n`;

async function plantedHost(options?: Parameters<typeof supervisorHost>[0]): Promise<SupervisorHost> {
  const host = await supervisorHost({ configFiles: { "local.yaml": "" }, ...options });
  const file = join(host.dir, "secret.txt");
  writeFileSync(file, `${planted.file}\n${planted.multi}\n`);
  host.writeConfigFile("local.yaml", {
    exporters: {
      "otlphttp/other": {
        endpoint: `http://user:${planted.url}@127.0.0.1:1/?token=${planted.query}`,
        headers: {
          "x-api-key": planted.header,
          "x-env": "$\u007benv:COLLECTOR_THING}",
          "x-file": `$\u007bfile:${file}}`,
        },
      },
    },
  });
  await host.writeSettings({ env: { COLLECTOR_THING: planted.env, THING: planted.plainEnv } });
  await appendFile(host.settingsPath, `\n# ${planted.comment}\n`);
  return host;
}

/** What only an earlier life of the host, or a server's offer, leaves behind. */
function plantState(host: SupervisorHost): void {
  const write = (name: string, data: string | Uint8Array) => writeFileSync(join(host.stateDir, name), data);
  const kept = {
    overrides: {
      endpoint: `ws://127.0.0.1:${host.ports.opamp}/v1/opamp`,
      headers: { Authorization: `Bearer ${planted.kept}` },
      certificate: { cert: "PUBLIC", key: pem(planted.ownKey), own: true },
      proxy: `http://me:${planted.proxy}@127.0.0.1:3128`,
    },
    offer: { hash: "abcd", key: "ef" },
    basis: "another",
  };
  write("connection_settings.json", JSON.stringify({ kept, verdict: null }));
  const request = { key: pem(planted.requested), csr: "CSR", keyType: "ec-p256", instanceUid: "x" };
  write("certificate_request.json", JSON.stringify(request));
  const telemetry = create(ConnectionSettingsOffersSchema, {
    ownMetrics: {
      destinationEndpoint: "http://127.0.0.1:1/v1/metrics",
      headers: { headers: [{ key: "x-opaque", value: planted.telemetry }] },
    },
  });
  write("last_recv_own_telemetry_config.dat", toBinary(ConnectionSettingsOffersSchema, telemetry));
  write("packages.json.corrupt-2026", `{"x": "${planted.corrupt}"`);
  const log = { level: "info", msg: `old header Authorization: Bearer ${planted.log}` };
  const lines = `${JSON.stringify(log)}\n${pem(planted.pem)}password=${planted.log}\n`;
  const path = join(host.stateDir, "agent.log");
  writeFileSync(path, lines, { flag: "a" });
}

/** Files of the archive by name; fails if a secret is in its bytes, in whatever form. */
function open(host: SupervisorHost, path: string): Record<string, string> {
  const bytes = gunzipSync(readFileSync(path)).toString("latin1");
  const link = join(host.stateDir, "local_link.json");
  const token = existsSync(link) ? [(JSON.parse(readFileSync(link, "utf8")) as { token: string }).token] : [];
  const server = host.secrets.flatMap((secret) => [secret, secret.replace(/^Bearer /, "")]);
  for (const secret of [...Object.values(planted), ...server, ...token]) {
    const forms = ["base64", "base64url", "hex"].map((form) =>
      Buffer.from(secret)
        .toString(form as BufferEncoding)
        .replace(/=+$/, ""),
    );
    for (const form of [secret, encodeURIComponent(secret), ...forms]) expect(bytes).not.toContain(form);
  }
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const folder = `${path}.d`;
  execFileSync("mkdir", [folder]);
  execFileSync("tar", ["-xzf", path, "-C", folder]);
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((each) => each.isFile());
  return Object.fromEntries(
    names.map(({ parentPath, name }) => {
      const file = join(parentPath, name);
      return [file.slice(folder.length + 1), readFileSync(file, "utf8")];
    }),
  );
}

describe("diagnose", () => {
  it("writes what helps, and none of the secrets that are everywhere, while all runs and when it is down", async () => {
    const host = await plantedHost();
    const from = host.server.mark;
    const supervisor = await host.start({ SUPERVISOR_PASSWORD: planted.supervisorEnv });
    await host.server.reported("health", ({ healthy }) => healthy, from);
    await host.apply(host.remotePipeline());

    const first = join(host.dir, "first.tar.gz");
    const outcome = await operate(host, "diagnose", "--out", first);
    expect(outcome).toMatchObject({ code: 0, stderr: "" });
    expect(outcome.stdout).toMatch(/first\.tar\.gz: \d+ files, \d+ KiB, secrets hidden/);
    const files = open(host, first);
    expect(JSON.parse(files["status.json"] ?? "")).toMatchObject({ verdict: "healthy" });
    expect(files["versions.txt"]).toMatch(/^Collector otelcol\S* 0\.149\.0 at .*\n {2}receivers: .*otlp/m);
    expect(files["machine.txt"]).toMatch(
      new RegExp(`^supervisor +pid ${supervisor.pid}, .*RSS \\d+ kB`, "m"),
    );
    expect(files["connection.txt"]).toMatch(/TCP {3}ok/);
    expect(files["state/effective.yaml.txt"]).toContain("otlphttp/other");
    expect(files["state/configuration_book.json.txt"]).toContain('"role": "desired"');
    const snapshots = readdirSync(join(host.stateDir, "configurations")).filter((name) =>
      /\.(?:json|yaml)$/.test(name),
    );
    expect(snapshots.length).toBeGreaterThan(2);
    for (const name of snapshots) expect(Object.keys(files)).toContain(`state/configurations/${name}.txt`);
    expect(files["supervisor.yaml.txt"]).toContain("config_apply_timeout");
    expect(files["environment/supervisor.txt"]).toContain("SUPERVISOR_PASSWORD (value not shown)");
    expect(files["local/0.yaml.txt"]).toContain("otlphttp/other");
    expect(files["logs/agent.log"]).toContain("Everything is ready");

    await supervisor.kill("SIGTERM");
    plantState(host);
    const second = join(host.dir, "second.tar.gz");
    expect(await operate(host, "diagnose", "--out", second)).toMatchObject({ code: 0, stderr: "" });
    const atRest = open(host, second);
    expect(atRest["state/connection_settings.json.txt"]).toContain(`127.0.0.1:${host.ports.opamp}/v1/opamp`);
    expect(atRest["state/last_recv_own_telemetry_config.dat.txt"]).toContain("x-opaque");
    expect(atRest["state/LISTING.txt"]).toContain("packages.json.corrupt-2026");
    expect(atRest["logs/agent.log"]).toContain("old header");

    const again = await operate(host, "diagnose", "--out", second);
    expect(again).toMatchObject({ code: 1, stdout: "" });
    expect(again.stderr).toContain("it is there already");
  });

  it("sends no credentials to the server", async () => {
    const host = await plantedHost({ server: "down" });
    const seen: IncomingHttpHeaders[] = [];
    const server = createServer(({ headers }, response) => {
      seen.push(headers);
      response.writeHead(401).end();
    }).listen(host.ports.opamp, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const path = join(host.dir, "out.tar.gz");
    expect(await operate(host, "diagnose", "--out", path)).toMatchObject({ code: 0 });
    expect(open(host, path)["connection.txt"]).toContain("401 Unauthorized (it asks for credentials");
    expect(seen).toHaveLength(1);
    expect(JSON.stringify(seen)).not.toContain("t0p-secret");
  });

  it("works with settings that are not valid, and with state that is no directory", async () => {
    const host = await plantedHost({ server: "down" });
    await host.writeSettings({ no_such_key: 1 });
    rmSync(host.stateDir, { recursive: true });
    writeFileSync(host.stateDir, "not a directory");
    const path = join(host.dir, "out.tar.gz");
    expect(await operate(host, "diagnose", "--out", path)).toMatchObject({ code: 0, stderr: "" });
    const files = open(host, path);
    expect(files["supervisor.yaml.problems.txt"]).toContain("no_such_key");
    expect(files["state/LISTING.txt"]).toContain("ENOTDIR");
    expect(files["connection.txt"]).toContain("not tried");
  });

  it("works when the disk of the state is full, and finds a place where it may write", async () => {
    const host = await plantedHost();
    const state = mountSmallState(host);
    await host.startHealthy();
    state.fill();
    const diagnosed = await host.group.launch(
      launcher,
      ["diagnose", "--config", host.settingsPath, "--json"],
      {
        cwd: "/proc",
        env: { TMPDIR: host.dir },
      },
    );
    const written = await diagnosed.waitFor(({ archive }) => typeof archive === "string");
    expect(await diagnosed.exited).toEqual({ code: 0, signal: null });
    expect(String(written.archive)).toMatch(new RegExp(`^${host.dir}/opamp-diagnose-.*Z\\.tar\\.gz$`));
    expect(open(host, String(written.archive))["machine.txt"]).toMatch(/^disk .*: 0 MiB free of/m);
    state.empty();
  });

  it.runIf(process.getuid?.() === 0)(
    "as root reads nothing that the supervisor's user could not",
    async () => {
      const host = await plantedHost({ server: "down" });
      const rootOnly = join(host.dir, "root-only");
      writeFileSync(rootOnly, "of root alone", { mode: 0o600 });
      await symlink(rootOnly, join(host.stateDir, "agent.log"));
      await chmod(host.dir, 0o711);
      await chmod(host.settingsPath, 0o644);
      await chown(host.stateDir, 65_534, 65_534);
      const path = join(host.dir, "out.tar.gz");
      expect(await operate(host, "diagnose", "--out", path)).toMatchObject({ code: 0, stderr: "" });
      const files = open(host, path);
      expect(files["logs/agent.log"]).toContain("EACCES");
      expect(JSON.stringify(files)).not.toContain("of root alone");
    },
  );

  it("has a usage", async () => {
    expect((await runCommand("diagnose", "--help")).stdout).toContain("Exit codes");
    expect(await runCommand("diagnose", "x", "--config", "y")).toMatchObject({ code: 2 });
  });
});
