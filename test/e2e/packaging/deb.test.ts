import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DebianMachine } from "../../support/debian-machine.ts";
import { eventually } from "../../support/eventually.ts";
import { InstalledHost, makePackage, settingsPath, statePath } from "../../support/installed-host.ts";
import { makeTempDir } from "../../support/temp-dir.ts";

// A build machine has to have what it takes; elsewhere these tests are for those who can.
const cannot = process.env.CI === undefined && DebianMachine.obstacle !== undefined;

describe.skipIf(cannot)("the deb, on a clean Debian 12 that has booted", { timeout: 120_000 }, () => {
  const folder = makeTempDir();
  const debs: { older: string; newer: string } = { older: "", newer: "" };

  beforeAll(async () => {
    await DebianMachine.prepare();
    debs.older = await makePackage("deb", "1", folder.path);
    debs.newer = await makePackage("deb", "2", folder.path);
  }, 400_000);
  afterAll(() => folder[Symbol.dispose]());

  const enabled = async (host: InstalledHost) =>
    (await host.machine.run("systemctl is-enabled opamp-supervisor")).stdout.trim();

  /** Installed, configured and collecting. */
  async function collecting(deb: string): Promise<InstalledHost> {
    const host = await InstalledHost.boot();
    await host.install(deb);
    await host.configure();
    host.write("/etc/opamp-supervisor/environment", "OF_THE_ADMINISTRATOR=1\n");
    await host.startCollecting();
    return host;
  }

  /** Lets the supervisor's event loop be stopped: systemd wakes what SIGSTOP has put to sleep. */
  async function canHang(host: InstalledHost, ...lines: string[]): Promise<void> {
    const forEver = "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)";
    host.write("/usr/local/lib/hang.cjs", `process.on("SIGWINCH", () => ${forEver});\n`);
    await host.dropIn("Environment=NODE_OPTIONS=--require=/usr/local/lib/hang.cjs", ...lines);
  }
  const hang = async (host: InstalledHost) =>
    host.machine.sh(`kill -WINCH ${await host.property("MainPID")}`);

  it("installs: says what to do next, starts nothing, and does it once it is configured", async () => {
    const host = await InstalledHost.boot();
    const said = await host.install(debs.older);
    expect(said).toContain(`opamp-supervisor validate --config ${settingsPath}`);
    expect(said).not.toContain("take-over");
    expect(await enabled(host)).toBe("enabled");
    expect(await host.property("ActiveState")).toBe("inactive");
    // Nor at the next boot, without any failure.
    await host.machine.sh("systemctl start opamp-supervisor");
    expect([await host.property("ActiveState"), await host.property("Result")]).toEqual([
      "inactive",
      "success",
    ]);
    expect(await host.machine.sh("systemctl is-system-running")).toBe("running");

    await host.machine.sh(
      `install -m 640 -g opamp-supervisor /opt/opamp-supervisor/supervisor.example.yaml ${settingsPath}`,
    );
    await host.machine.sh(
      `ln -s /usr/local/bin/otelcol /usr/bin/otelcol && cd / && opamp-supervisor validate --config ${settingsPath}`,
    );
    await host.configure();
    await host.startCollecting();
    expect(await host.property("User")).toBe("opamp-supervisor");
    expect(await host.machine.sh(`stat -c '%U %a' ${statePath} /etc/opamp-supervisor ${settingsPath}`)).toBe(
      "opamp-supervisor 700\nroot 750\nroot 640",
    );
    await host.expectDataFlowsThrough(async () => undefined);
    await host.machine.sh(`opamp-supervisor status --config ${settingsPath}`);
  });

  it("tells systemd how it is, and is fed by its own beat", async () => {
    const host = await InstalledHost.boot();
    await host.install(debs.older);
    await host.configure();
    await canHang(host, "WatchdogSec=3");
    await host.startCollecting();
    await host.becomes(
      "StatusText",
      `Collector ${await host.collectorPid()} is well, on the desired configuration; server connected`,
    );
    const first = await host.property("WatchdogTimestampMonotonic");
    await host.expectDataFlowsThrough(async () => {
      const main = await host.property("MainPID");
      await eventually("a beat", async () => (await host.property("WatchdogTimestampMonotonic")) !== first);
      // One that hangs is replaced, and its Collector taken over.
      const from = host.server.mark;
      await hang(host);
      await host.healthy(from);
      expect(await host.property("MainPID")).not.toBe(main);
      expect(await host.property("NRestarts")).toBe("1");
    });
  });

  it("upgrades and downgrades: the supervisor is another one, the Collector the same, and data flows", async () => {
    const host = await collecting(debs.older);
    await host.machine.sh("systemctl disable opamp-supervisor");
    for (const deb of [debs.newer, debs.older]) {
      const main = await host.property("MainPID");
      const from = host.server.mark;
      await host.expectDataFlowsThrough(async () => {
        await host.install(deb);
        await host.healthy(from);
      });
      expect(await host.property("MainPID")).not.toBe(main);
      expect(await host.property("ActiveState")).toBe("active");
      expect(await enabled(host)).toBe("disabled");
      expect(host.read("/etc/opamp-supervisor/environment")).toBe("OF_THE_ADMINISTRATOR=1\n");
    }
    // The one that was taken over is managed like any other.
    await host.offerPipeline("warn");
  });

  it("leaves a stopped service stopped when it upgrades", async () => {
    const host = await collecting(debs.older);
    await host.machine.sh("systemctl stop opamp-supervisor");
    expect(await host.collectors()).toEqual([]);
    await host.install(debs.newer);
    expect(await host.property("ActiveState")).toBe("inactive");
    expect(await enabled(host)).toBe("enabled");
  });

  it("removes without the state, and comes back as the same host; a purge deletes it", async () => {
    const host = await collecting(debs.older);
    const identity = host.read(`${statePath}/persistent_state.yaml`);
    await host.machine.sh("dpkg --remove opamp-supervisor");
    expect(await host.collectors()).toEqual([]);
    expect((await host.machine.run("ls /opt/opamp-supervisor")).code).not.toBe(0);
    expect(host.read(`${statePath}/persistent_state.yaml`)).toContain(identity.split("\n")[0]);
    const from = host.server.mark;
    const said = await host.install(debs.newer);
    expect(said).not.toContain("What to do next");
    await host.healthy(from);
    await host.expectDataFlowsThrough(async () => undefined);
    expect(host.read(`${statePath}/persistent_state.yaml`)).toContain(identity.split("\n")[0]);

    await host.machine.sh("dpkg --purge opamp-supervisor");
    expect(await host.collectors()).toEqual([]);
    const left = await host.machine.sh(
      "find / -xdev -path '*opamp-supervisor*' -not -path '/srv/*' -not -path '/var/lib/dpkg/*'",
    );
    expect(left).toBe("");
    expect(await host.machine.sh("systemctl is-system-running")).toBe("running");
  });

  it("removes a Collector too whose supervisor does not start any more", async () => {
    const host = await collecting(debs.older);
    host.write(settingsPath, "no: settings");
    await host.expectDataFlowsThrough(async () => {
      await host.machine.sh("systemctl kill --kill-whom=main --signal=SIGKILL opamp-supervisor");
      await host.becomes("SubState", "auto-restart");
    });
    await host.machine.sh("dpkg --remove opamp-supervisor");
    expect(await host.collectors()).toEqual([]);
  });

  it("ends the Collector of a supervisor that hangs when it is to stop, but not when it is to restart", async () => {
    const host = await InstalledHost.boot();
    await host.install(debs.older);
    await host.configure();
    await canHang(host, "TimeoutStopSec=2", "WatchdogSec=0");
    await host.startCollecting();
    const from = host.server.mark;
    await host.expectDataFlowsThrough(async () => {
      await hang(host);
      await host.machine.sh("systemctl restart opamp-supervisor");
      await host.healthy(from);
    });
    await hang(host);
    await host.collectorPid();
    await host.machine.sh("systemctl stop opamp-supervisor");
    expect(await host.property("Result")).toBe("timeout");
    expect(await host.collectors()).toEqual([]);
  });
});
