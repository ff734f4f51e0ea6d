import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DebianMachine } from "../../support/debian-machine.ts";
import { InstalledHost, makePackage, statePath } from "../../support/installed-host.ts";
import { makeTempDir } from "../../support/temp-dir.ts";

const cannot = process.env.CI === undefined && DebianMachine.obstacle !== undefined;

// By rpm itself, which runs the scripts as it does anywhere. Debian has no packages of the names it asks for.
describe.skipIf(cannot)("the rpm", { timeout: 120_000 }, () => {
  const folder = makeTempDir();
  const rpms: { older: string; newer: string } = { older: "", newer: "" };

  beforeAll(async () => {
    await DebianMachine.prepare();
    rpms.older = await makePackage("rpm", "1", folder.path);
    rpms.newer = await makePackage("rpm", "2", folder.path);
  }, 400_000);
  afterAll(() => folder[Symbol.dispose]());

  it("installs, upgrades and downgrades with data flowing, and leaves the state when it goes", async () => {
    const host = await InstalledHost.boot();
    expect(await host.install(rpms.older, "--install")).toContain("What to do next");
    expect(await host.machine.sh("systemctl is-enabled opamp-supervisor")).toBe("enabled");
    expect(await host.machine.sh(`stat -c '%U:%G %a' ${statePath} /etc/opamp-supervisor`)).toBe(
      "opamp-supervisor:opamp-supervisor 700\nroot:opamp-supervisor 750",
    );
    await host.configure();
    await host.startCollecting();
    for (const [option, file] of [
      ["--upgrade", rpms.newer],
      ["--upgrade --oldpackage", rpms.older],
    ] as const) {
      const main = await host.property("MainPID");
      const from = host.server.mark;
      await host.expectDataFlowsThrough(async () => {
        await host.install(file, option);
        await host.healthy(from);
      });
      expect(await host.property("MainPID")).not.toBe(main);
      expect(await host.machine.sh("systemctl is-enabled opamp-supervisor")).toBe("enabled");
    }
    await host.machine.sh("systemctl stop opamp-supervisor");
    await host.install(rpms.newer, "--upgrade");
    expect(await host.property("ActiveState")).toBe("inactive");

    await host.machine.sh("systemctl start opamp-supervisor");
    await host.machine.sh("rpm --erase opamp-supervisor");
    expect(await host.collectors()).toEqual([]);
    expect(host.read(`${statePath}/persistent_state.yaml`)).toContain("instance_id");
    expect((await host.machine.run("ls /opt/opamp-supervisor")).code).not.toBe(0);
    expect(await host.machine.sh("systemctl is-system-running")).toBe("running");
  });
});
