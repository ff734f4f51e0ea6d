import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { receiveDatagrams } from "../../support/notify-socket.ts";
import { supervisorHost } from "../../support/supervisor-host.ts";

describe("a supervisor that systemd started", () => {
  it("says READY once it works, what runs, that it lives, and STOPPING", async () => {
    const host = await supervisorHost();
    const NOTIFY_SOCKET = join(host.dir, "notify");
    const { lines } = await receiveDatagrams(NOTIFY_SOCKET);
    const supervisor = await host.start({ NOTIFY_SOCKET, WATCHDOG_USEC: "600000" });
    await supervisor.waitFor("started");
    await eventually("READY", () => lines.includes("READY=1"));
    await host.apply(host.remotePipeline());
    const line = `STATUS=Collector ${host.collectorPid()} is well, on the desired configuration; server connected`;
    await eventually("the status", () => lines.includes(line));
    await eventually("three beats", () => lines.filter((said) => said === "WATCHDOG=1").length >= 3);
    expect(await supervisor.kill("SIGTERM")).toEqual({ code: 0, signal: null });
    await eventually("STOPPING", () => lines.includes("STOPPING=1"));
  });

  it("never says READY when it cannot start", async () => {
    const host = await supervisorHost();
    const NOTIFY_SOCKET = join(host.dir, "notify");
    const { lines } = await receiveDatagrams(NOTIFY_SOCKET);
    await host.writeSettings({ executable: "/bin/true" });
    const supervisor = await host.start({ NOTIFY_SOCKET });
    expect(await supervisor.exited).toMatchObject({ code: 1 });
    expect(lines).toEqual(["bound"]);
  });

  it("works the same where systemd cannot be told", async () => {
    const host = await supervisorHost();
    const supervisor = await host.start({ NOTIFY_SOCKET: "/nowhere/notify", WATCHDOG_USEC: "600000" });
    await supervisor.waitFor("systemd_not_told");
    await host.apply(host.remotePipeline());
    await host.expectDataFlows();
  });
});
