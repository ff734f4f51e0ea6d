import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, chown, readdir, stat, writeFile } from "node:fs/promises";
import { request } from "node:http";
import type { Server } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { emptyBook } from "../../../src/supervisor/change/configuration-book.ts";
import { freePort } from "../../support/free-port.ts";
import { hashOf, remoteConfig } from "../../support/recording-opamp-server.ts";
import { operate, runCommand } from "../../support/run-command.ts";
import { type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";

const nobody = 65_534;

async function statusOf(host: SupervisorHost) {
  const { code, stdout } = await operate(host, "status", "--json");
  expectNoSecret(host, stdout);
  return { code, status: JSON.parse(stdout) as Record<string, unknown> };
}

function expectNoSecret(host: SupervisorHost, text: string): void {
  for (const secret of host.secrets) expect(text).not.toContain(secret);
}

const socketOf = (host: SupervisorHost) => join(host.stateDir, "control.sock");

async function free(server: Server): Promise<void> {
  const closed = once(server, "close");
  server.close();
  await closed;
}

const isUntried = (status: number, hash: Uint8Array) => status === 0 && hash.length === 0;

describe("status", () => {
  it("says that all is well, to people and to machines, also over the socket itself", async () => {
    const host = await supervisorHost();
    const supervisor = await host.startHealthy();
    const config = await host.apply(host.remotePipeline());
    const pid = await host.onlyCollector();

    const human = await operate(host, "status");
    expect(human).toMatchObject({ code: 0, stderr: "" });
    expect(human.stdout).toMatch(/^HEALTHY {2}the Collector runs the desired configuration\n\n/);
    expect(human.stdout).toContain(`desired, ${hashOf(config).slice(0, 12)} of the server, here since 2`);
    expect(human.stdout).toMatch(new RegExp(`^Collector +running, pid ${pid}, up \\d`, "m"));
    expect(human.stdout).toMatch(/^Server +ws:\/\/127\.0\.0\.1:\d+\/v1\/opamp, connected since/m);
    expectNoSecret(host, human.stdout);

    const { code, status } = await statusOf(host);
    expect(code).toBe(0);
    expect(status).toMatchObject({
      verdict: "healthy",
      reasons: [],
      supervisor: { pid: supervisor.pid, version: expect.stringMatching(/^\d/) },
      server: { connected: true, last_error: null },
      collector: { state: "running", pid, healthy: true, exits: 0, last_exit: null },
      program: { source: "local", version: expect.stringMatching(/^0\.149\./) },
      configuration: { role: "desired", remote_hash: hashOf(config), on_probation: true },
      remote_config: { status: "APPLIED", hash: hashOf(config), error: null },
      quarantined: 0,
      change: null,
    });
    expect(await overSocket(socketOf(host))).toMatchObject({ verdict: "healthy", collector: { pid } });
    expect((await stat(socketOf(host))).mode & 0o777).toBe(0o600);
  });

  it("does not hold a server that is away against the host, and says since when and why", async () => {
    const host = await supervisorHost({ server: "down", configFiles: { "local.yaml": "" } });
    host.writeConfigFile("local.yaml", host.pipeline());
    const supervisor = await host.start();
    await supervisor.waitFor("config_updated");
    const { code, status } = await statusOf(host);
    expect(code).toBe(0);
    expect(status).toMatchObject({
      verdict: "healthy",
      server: { connected: false, last_error: expect.stringContaining("ECONNREFUSED") },
      configuration: { role: "desired", remote_hash: null },
    });
  });

  it("says that an empty Collector, and one after a failed configuration, is degraded", async () => {
    const host = await supervisorHost();
    await host.startHealthy();
    const empty = await operate(host, "status");
    expect(empty.code).toBe(1);
    expect(empty.stdout).toMatch(/^DEGRADED {2}an empty configuration runs: nothing is collected\n/);

    await host.apply(host.remotePipeline());
    const bad = host.server.offer(remoteConfig({ "": { exporters: { doesntexist: {} } } }));
    await host.server.verdict(bad);
    const { code, status } = await statusOf(host);
    expect(code).toBe(1);
    expect(status).toMatchObject({
      verdict: "degraded",
      reasons: [expect.stringContaining("doesntexist")],
      collector: { healthy: true },
      configuration: { role: "desired" },
      remote_config: { status: "FAILED", hash: hashOf(bad) },
      quarantined: 1,
    });
  });

  it("counts the ends of the Collector", async () => {
    const host = await supervisorHost();
    const supervisor = await host.startHealthy();
    await host.apply(host.remotePipeline());
    process.kill(host.collectorPid(), "SIGKILL");
    await supervisor.waitFor("collector_restarted");
    const { status } = await statusOf(host);
    expect(status.collector).toMatchObject({
      exits: 1,
      last_exit: { how: expect.stringContaining("SIGKILL") },
    });
  });

  it("says what the files know when the supervisor was killed, and a new one takes over its socket", async () => {
    const host = await supervisorHost();
    const first = await host.startHealthy();
    await host.apply(host.remotePipeline());
    const pid = await host.onlyCollector();
    await first.kill("SIGKILL");
    expect(existsSync(socketOf(host))).toBe(true);

    const human = await operate(host, "status");
    expect(human.code).toBe(2);
    expect(human.stdout).toMatch(/^NOT RUNNING {2}no supervisor uses /);
    expect(human.stdout).toContain(`runs on without it, pid ${pid}`);
    const { code, status } = await statusOf(host);
    expect(code).toBe(2);
    expect(status).toMatchObject({
      verdict: "not-running",
      collector: { pid },
      configuration: { role: "desired" },
    });

    const second = await host.startHealthy();
    expect((await statusOf(host)).status).toMatchObject({
      supervisor: { pid: second.pid },
      collector: { pid },
    });
    await second.kill("SIGTERM");
    expect(existsSync(socketOf(host))).toBe(false);
    expect((await statusOf(host)).status).toMatchObject({ verdict: "not-running", collector: { pid: null } });
  });

  it("needs nothing of the settings but the state directory", async () => {
    const host = await supervisorHost();
    const path = join(host.dir, "other.yaml");
    await writeFile(
      path,
      `{storage: {directory: ${host.stateDir}}, server: {endpoint: "\${file:/no/such}"}, odd: 1}`,
    );
    expect(await runCommand("status", "--config", path)).toMatchObject({ code: 2, stderr: "" });
  });
});

describe("quarantine", () => {
  it("clear lets the server's last offer be offered and tried again, which the same offer is not", async () => {
    const host = await supervisorHost();
    const supervisor = await host.startHealthy();
    await host.apply(host.remotePipeline());
    const port = await freePort();
    const other = await host.occupy(port);
    const offer = host.remotePipeline({ port });
    const hash = hashOf(offer);
    host.server.offer(offer);
    await host.server.verdict(offer);
    await supervisor.waitFor("reverted");
    await free(other);

    const list = await operate(host, "quarantine", "list");
    expect(list.code).toBe(0);
    expect(list.stdout).toMatch(new RegExp(`^HASH .*\\n${hash.slice(0, 12)}  2.*Z  the Collector ended`));
    expect(JSON.parse((await operate(host, "quarantine", "list", "--json")).stdout)).toEqual({
      quarantined: [
        {
          hash,
          at: expect.stringMatching(/^2.*Z$/),
          reason: expect.stringContaining("address already in use"),
        },
      ],
    });

    const from = host.server.mark;
    const cleared = await operate(host, "quarantine", "clear", hash.slice(0, 6));
    expect(cleared).toMatchObject({ code: 0, stderr: "" });
    expect(cleared.stdout).toContain(`cleared ${hash.slice(0, 12)}`);
    await host.server.reported(
      "remoteConfigStatus",
      ({ status, lastRemoteConfigHash }) => isUntried(status, lastRemoteConfigHash),
      from,
    );
    expect(await supervisor.waitFor("operator_command")).toMatchObject({
      command: "quarantine clear",
      cleared: [hash],
      next: ["asked-server"],
    });
    // As a server does that sees no verdict on it.
    await host.apply(offer);
    await host.expectDataFlows(port);
    expect((await operate(host, "quarantine", "list")).stdout).toBe("nothing is quarantined\n");
  });

  it("clear has a local configuration tried again without an edit", async () => {
    const port = await freePort();
    const host = await supervisorHost({ configFiles: { "local.yaml": "" } });
    host.writeConfigFile("local.yaml", host.pipeline({ port }));
    const other = await host.occupy(port);
    const supervisor = await host.start();
    await supervisor.waitFor("config_update_failed");
    await supervisor.waitFor("fallback");
    await free(other);
    expect((await statusOf(host)).status).toMatchObject({ configuration: { role: "bootstrap" } });

    const cleared = await operate(host, "quarantine", "clear", "--all");
    expect(cleared.stdout).toContain("tried again now");
    await supervisor.waitFor("config_updated");
    await host.expectDataFlows(port);
    await host.server.reported("health", ({ healthy, status }) => healthy && status === "StatusOK");
    expect((await statusOf(host)).code).toBe(0);
  });

  it("works on the files when the supervisor is not running", async () => {
    const host = await supervisorHost();
    const first = await host.startHealthy();
    await host.apply(host.remotePipeline());
    const bad = host.server.offer(remoteConfig({ "": { exporters: { doesntexist: {} } } }));
    await host.server.verdict(bad);
    await first.kill("SIGTERM");

    expect((await operate(host, "quarantine", "list")).stdout).toContain(hashOf(bad).slice(0, 12));
    expect(await operate(host, "quarantine", "clear", "ffffff")).toMatchObject({ code: 1, stdout: "" });
    expect(await operate(host, "quarantine", "clear", hashOf(bad))).toMatchObject({ code: 0, stderr: "" });
    expect((await operate(host, "quarantine", "list")).stdout).toBe("nothing is quarantined\n");

    const from = host.server.mark;
    await host.startHealthy();
    await host.server.reported(
      "remoteConfigStatus",
      ({ status, lastRemoteConfigHash }) => isUntried(status, lastRemoteConfigHash),
      from,
    );
    // Tried anew, not only told again.
    host.server.offer(bad);
    await host.server.verdict(bad, from);
    expect(host.server.statusesOf(bad, from)).toEqual(["APPLYING", "FAILED"]);
  });
});

const isRoot = process.getuid?.() === 0;

describe("quarantine clear by root", () => {
  it.runIf(isRoot)("leaves the files of a supervisor of another user to that user", async () => {
    const host = await supervisorHost();
    await chmod(host.dir, 0o711);
    const file = join(host.stateDir, "configuration_book.json");
    const quarantined = [{ hash: "abcdef01", reason: "it died", at: 1 }];
    await writeFile(file, JSON.stringify({ ...emptyBook, quarantined }));
    await chown(file, nobody, nobody);
    await chown(host.stateDir, nobody, nobody);
    expect(await operate(host, "quarantine", "clear", "abcdef")).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(await host.readState("configuration_book.json"))).toMatchObject({ quarantined: [] });
    const { uid, gid, mode } = await stat(file);
    expect({ uid, gid, mode: mode & 0o777 }).toEqual({ uid: nobody, gid: nobody, mode: 0o600 });
    expect(await readdir(host.stateDir)).toEqual(["configuration_book.json"]);
  });
});

describe("a command of an operator", () => {
  it.each([
    [["status"], 3, /--config FILE is missing/],
    [["status", "--no-such"], 3, /--no-such/],
    [["status", "now", "--config", "x"], 3, /takes no argument/],
    [["status", "--config", "/no/such.yaml"], 3, /\/no\/such\.yaml/],
    [["quarantine", "--config", "x"], 2, /quarantine list or quarantine clear/],
    [["quarantine", "clear", "--config", "x"], 2, /HASH or --all/],
    [["quarantine", "clear", "abcdef", "--all", "--config", "x"], 2, /HASH or --all/],
    [["quarantine", "list", "--config", "/no/such.yaml"], 2, /\/no\/such\.yaml/],
  ])("%j is bad usage", async (args, code, message) => {
    const outcome = await runCommand(...args);
    expect(outcome.code).toBe(code);
    expect(outcome.stdout).toBe("");
    expect(outcome.stderr).toMatch(message);
  });

  it.each(["status", "quarantine"])("%s --help prints its usage and exit codes", async (name) => {
    const { code, stdout } = await runCommand(name, "--help");
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^Usage: opamp-supervisor ${name} `));
    expect(stdout).toContain("Exit codes");
  });
});

/** What any HTTP client that can use a Unix socket gets. */
async function overSocket(socketPath: string): Promise<unknown> {
  const sent = request({ socketPath, path: "/v1/status", headers: { host: "localhost" } });
  sent.end();
  const [response] = (await once(sent, "response")) as [AsyncIterable<Buffer>];
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part);
  return JSON.parse(Buffer.concat(parts).toString());
}
