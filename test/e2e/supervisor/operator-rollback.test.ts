import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { AgentRemoteConfig, RemoteConfigStatus } from "../../../src/opamp/messages.ts";
import { eventually } from "../../support/eventually.ts";
import { freePorts } from "../../support/free-port.ts";
import { hashOf, remoteConfig } from "../../support/recording-opamp-server.ts";
import { operate, runCommand } from "../../support/run-command.ts";
import { type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";

const short = (config: AgentRemoteConfig) => hashOf(config).slice(0, 12);

/** A host on which a first configuration, and then another on a port of its own, has been applied. */
async function hostWithTwo(options?: Parameters<typeof supervisorHost>[0]) {
  const host = await supervisorHost(options);
  const supervisor = await host.startHealthy();
  const ports = await freePorts("older", "newer");
  const older = await host.apply(host.remotePipeline({ port: ports.older }));
  const newer = await host.apply(host.remotePipeline({ port: ports.newer }));
  return { host, supervisor, ports, older, newer };
}

function failed(host: SupervisorHost, config: AgentRemoteConfig, from: number): Promise<RemoteConfigStatus> {
  return host.server.verdict(config, from);
}

describe("rollback", () => {
  it("brings back what ran before, and the server is told the operator's reason, also when it offers it again", async () => {
    const { host, supervisor, ports, older, newer } = await hostWithTwo();
    const from = host.server.mark;
    const done = await operate(host, "rollback", "--yes", "--reason", "it drops every record");
    expect(done).toMatchObject({ code: 0 });
    expect(done.stdout).toContain(`rolled back from ${short(newer)} (of the server)`);
    expect(done.stdout).toContain(`to               ${short(older)} (of the server)`);
    await host.expectDataFlows(ports.older);

    const errorMessage = "rolled back by an operator: it drops every record";
    expect(await failed(host, newer, from)).toMatchObject({ errorMessage });
    const { stdout, code } = await operate(host, "status", "--json");
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      configuration: { role: "last-known-good", remote_hash: hashOf(older) },
      remote_config: { status: "FAILED", hash: hashOf(newer), error: errorMessage },
      quarantined: 1,
    });
    expect(await supervisor.waitFor("operator_command")).toMatchObject({ command: "rollback" });

    const seen = supervisor.lines.length;
    const again = host.server.mark;
    host.server.offer(newer);
    await supervisor.waitFor("config_received", { from: seen });
    // A verdict that does not change is not sent again, so the server asks for everything.
    host.server.push({ flags: 1n });
    expect(await failed(host, newer, again)).toMatchObject({ errorMessage });
    await host.expectDataFlows(ports.older);

    // There and back would be no rollback.
    const twice = await operate(host, "rollback", "--yes");
    expect(twice).toMatchObject({ code: 1, stdout: "" });
    expect(twice.stderr).toContain(`${short(newer)} cannot be gone back to: it is quarantined`);

    await operate(host, "quarantine", "clear", short(newer));
    await host.apply(newer);
    await host.expectDataFlows(ports.newer);
  });

  it("leaves what runs when the older one does not start any more", async () => {
    const { host, ports, older, newer } = await hostWithTwo();
    const other = await host.occupy(ports.older);
    const from = host.server.mark;
    const outcome = await operate(host, "rollback", "--yes", "--to", short(older));
    expect(outcome).toMatchObject({ code: 1, stdout: "" });
    expect(outcome.stderr).toMatch(/not rolled back, what ran before goes on: .*address already in use/s);
    await host.expectDataFlows(ports.newer);
    expect(host.server.statusesOf(newer, from)).toEqual([]);
    other.close();
  });

  it("undoes an edit of a local file, which stays undone over a restart", async () => {
    const host = await supervisorHost({ configFiles: { "local.yaml": "" } });
    const ports = await freePorts("older", "newer");
    host.writeConfigFile("local.yaml", host.pipeline({ port: ports.older }));
    const supervisor = await host.start();
    await supervisor.waitFor("config_updated");
    const from = supervisor.lines.length;
    host.writeConfigFile("local.yaml", host.pipeline({ port: ports.newer }));
    await supervisor.waitFor("config_updated", { from });

    const done = await operate(host, "rollback", "--yes", "--json");
    expect(JSON.parse(done.stdout)).toMatchObject({ from: { cause: "local" }, to: { cause: "local" } });
    await host.expectDataFlows(ports.older);
    const next = await host.restart("SIGTERM");
    await next.waitFor("config_update_failed");
    await host.expectDataFlows(ports.older);
  });

  it("has the next start do it when the supervisor is not running", async () => {
    const { host, supervisor, ports, older, newer } = await hostWithTwo({ leftBehind: "kill" });
    await eventually("the change is over", async () => /^null/.test(await host.readState("journal.json")));
    await supervisor.kill("SIGKILL");
    const pid = await host.onlyCollector();
    const done = await operate(host, "rollback", "--yes", "--reason", "night shift");
    expect(done).toMatchObject({ code: 0, stderr: "" });
    expect(done.stdout).toContain(`its next start does it; until then the Collector (pid ${pid}) runs on`);
    await host.expectDataFlows(ports.newer);

    const from = host.server.mark;
    await host.startHealthy();
    expect(await failed(host, newer, from)).toMatchObject({
      errorMessage: "rolled back by an operator: night shift",
    });
    await host.expectDataFlows(ports.older);
    expect(await host.collectors()).toHaveLength(1);
    expect(JSON.parse((await operate(host, "status", "--json")).stdout)).toMatchObject({
      configuration: { role: "last-known-good", remote_hash: hashOf(older), on_probation: true },
    });
  });

  it("comes forward again when the next start finds that the older one does not run", async () => {
    const { host, supervisor, ports } = await hostWithTwo();
    await supervisor.kill("SIGTERM");
    const other = await host.occupy(ports.older);
    expect(await operate(host, "rollback", "--yes")).toMatchObject({ code: 0 });
    const next = await host.start();
    await next.waitFor("reverted");
    await host.expectDataFlows(ports.newer);
    other.close();
  });

  it("says why it is not safe on the files while a change is under way", async () => {
    const { host, supervisor } = await hostWithTwo();
    await supervisor.kill("SIGTERM");
    const entry = { kind: "configuration", id: "aa", detail: {}, step: "proving", attempt: 1 };
    await writeFile(join(host.stateDir, "journal.json"), JSON.stringify(entry));
    const book = await host.readState("configuration_book.json");
    const refused = await operate(host, "rollback", "--yes");
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toContain("a change was under way (proving) when the supervisor ended: start it");
    expect(await host.readState("configuration_book.json")).toBe(book);
  });

  it("says when there is nothing to go back to, and asks before", async () => {
    const host = await supervisorHost();
    await host.startHealthy();
    expect(await operate(host, "rollback", "--yes")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("only a bootstrap configuration runs") as string,
    });
    await host.apply(remoteConfig({ "": host.pipeline() }));
    const unanswered = await operate(host, "rollback");
    expect(unanswered).toMatchObject({ code: 2, stdout: "" });
    expect(unanswered.stderr).toContain("nobody is there to answer: say --yes");
    expect((await runCommand("rollback", "--help")).stdout).toContain("Exit codes");
  });
});
