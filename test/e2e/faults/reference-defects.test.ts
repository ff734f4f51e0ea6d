import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { expectRuns, named, standIn } from "../../support/fault-host.ts";
import { remoteConfig } from "../../support/recording-opamp-server.ts";
import { type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";

const agent = { probation: "1ms" };

async function onBefore(): Promise<SupervisorHost> {
  const host = await supervisorHost({ agent });
  await host.startHealthy();
  await host.apply(named(host, "before"));
  await host.server.until("healthy", () => host.server.state?.health?.healthy);
  return host;
}

const linkPort = (host: SupervisorHost) =>
  (JSON.parse(readFileSync(join(host.stateDir, "local_link.json"), "utf8")) as { port: number }).port;

/** What the Go supervisor of 0.149 was seen to do wrong, where no other fault test covers it. */
describe("defects of the reference", () => {
  it("a malformed configuration saved by it does not keep the supervisor from starting", async () => {
    const host = await supervisorHost({ agent });
    const saved = remoteConfig({ "": "receivers: [\n\t}" });
    await host.saveRemote(saved);
    await host.start();
    await host.server.verdict(saved);
    expect(host.server.statusesOf(saved)).toEqual(["APPLYING", "FAILED"]);
    await host.apply(named(host, "after"));
    await expectRuns(host, "after");
  });

  it("port 8888, which an empty Collector would take, may be another's", async () => {
    const host = await supervisorHost({ agent });
    const other = createServer();
    other.listen(8888, "127.0.0.1");
    // Perhaps it is taken already, which serves as well.
    await Promise.race([once(other, "listening"), once(other, "error")]);
    onTestFinished(() => void other.close());
    const supervisor = await host.startHealthy();
    await host.apply(named(host, "after"));
    await expectRuns(host, "after");
    expect(supervisor.lines.filter(({ event }) => event === "collector_exited")).toEqual([]);
  });

  it("a binary that is slow to tell what it is delays nothing that was kept", async () => {
    const host = await supervisorHost();
    const slow = 'case "$1" in --config|validate) ;; *) sleep 60;; esac\nexec "$COLLECTOR" "$@"';
    const executable = standIn(host, slow);
    await host.writeSettings({ ...agent, executable, bootstrap_timeout: "500ms" });
    await host.saveRemote(named(host, "kept"));
    const supervisor = await host.start();
    await expectRuns(host, "kept");
    expect(supervisor.lines).toContainEqual(expect.objectContaining({ problem: "unresponsive" }));
  });

  it("a stranger on the local link neither gets an answer nor keeps the Collector out", async () => {
    const host = await onBefore();
    const pid = host.collectorPid();
    const url = `http://127.0.0.1:${linkPort(host)}/v1/opamp`;
    const upgrade = { connection: "upgrade", upgrade: "websocket", "sec-websocket-version": "13" };
    for (const headers of [{}, { authorization: "Bearer wrong" }, upgrade]) {
      const { status } = await fetch(url, { headers }).catch(() => ({ status: 0 }));
      expect(status).not.toBe(200);
    }
    process.kill(pid, "SIGKILL");
    await fetch(url).catch(() => undefined);
    await eventually("another one runs", () => host.collectorPid() !== pid);
    await expectRuns(host, "before");
  });

  it("the Collector's log survives the Collector and the supervisor", async () => {
    const host = await onBefore();
    const log = () => readFileSync(join(host.stateDir, "agent.log"), "utf8");
    const before = log();
    process.kill(host.collectorPid(), "SIGKILL");
    await expectRuns(host, "before");
    await host.group.stop();
    const from = host.server.mark;
    await host.start();
    await host.server.reported("health", ({ healthy }) => healthy, from);
    expect(log().startsWith(before)).toBe(true);
  });

  it("a file that somebody deleted is put back before the Collector needs it", async () => {
    const host = await onBefore();
    const pid = host.collectorPid();
    const from = host.server.mark;
    rmSync(join(host.stateDir, "effective.yaml"));
    process.kill(pid, "SIGKILL");
    await eventually("another one runs", () => host.collectorPid() !== pid);
    await expectRuns(host, "before");
    expect(host.server.statusesOf(named(host, "before"), from)).toEqual([]);
  });
});
