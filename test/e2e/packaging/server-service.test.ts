import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DebianMachine } from "../../support/debian-machine.ts";
import { freePort } from "../../support/free-port.ts";
import { InstalledHost, makePackage } from "../../support/installed-host.ts";
import { RawWebSocketAgent } from "../../support/raw-agent.ts";
import { makeTempDir } from "../../support/temp-dir.ts";

const cannot = process.env.CI === undefined && DebianMachine.obstacle !== undefined;
const unit = "opamp-server.service";

describe.skipIf(cannot)("the service of opamp-server", { timeout: 120_000 }, () => {
  const folder = makeTempDir();
  const debs: { older: string; newer: string } = { older: "", newer: "" };

  beforeAll(async () => {
    await DebianMachine.prepare();
    debs.older = await makePackage("deb", "1", folder.path);
    debs.newer = await makePackage("deb", "2", folder.path);
  }, 400_000);
  afterAll(() => folder[Symbol.dispose]());

  const property = (host: InstalledHost, name: string) =>
    host.machine.sh(`systemctl show --property=${name} --value ${unit}`);
  const enabled = async (host: InstalledHost) =>
    (await host.machine.run(`systemctl is-enabled ${unit}`)).stdout.trim();

  const ready = (management: string) =>
    expect
      .poll(() => fetch(`${management}/ready`).then(({ status }) => status, String), { timeout: 30_000 })
      .toBe(200);

  /** Installed and with settings; resolves to where agents connect. */
  async function installed(): Promise<{ host: InstalledHost; opamp: URL; management: string }> {
    const host = await InstalledHost.boot();
    await host.install(debs.older);
    const [agents, operators] = [await freePort(), await freePort()];
    host.write(
      "/etc/opamp-server/server.yaml",
      `opamp: {endpoint: "127.0.0.1:${agents}"}\nmanagement: {endpoint: "127.0.0.1:${operators}"}\n`,
    );
    await host.machine.sh("cd /etc/opamp-server && chgrp opamp-server server.yaml && chmod 640 server.yaml");
    return {
      host,
      opamp: new URL(`ws://127.0.0.1:${agents}/v1/opamp`),
      management: `http://127.0.0.1:${operators}`,
    };
  }

  it("is right in systemd's eyes, exposed 2.5 at most, and neither runs nor is enabled until somebody says so", async () => {
    const host = await InstalledHost.boot();
    await host.install(debs.older);
    expect(await host.machine.run(`systemd-analyze verify ${unit}`)).toEqual({
      code: 0,
      stdout: "",
      stderr: "",
    });
    const security = `systemd-analyze security --offline=true --threshold=25 --no-pager ${unit}`;
    expect(await host.machine.sh(security)).toMatch(/Overall exposure level .*: [012]\.\d OK/);
    expect(await enabled(host)).toBe("disabled");
    // Without settings, a start by mistake is no failure.
    await host.machine.sh(`systemctl start ${unit}`);
    expect([await property(host, "ActiveState"), await property(host, "Result")]).toEqual([
      "inactive",
      "success",
    ]);
    expect(await host.machine.sh("systemctl is-system-running")).toBe("running");
  });

  it("serves agents as a user of its own and keeps what it knows where only that one reads it", async () => {
    const { host, opamp, management } = await installed();
    await host.machine.sh(`systemctl start ${unit}`);
    await ready(management);
    const { agent } = await RawWebSocketAgent.join(opamp);
    expect(await property(host, "User")).toBe("opamp-server");
    expect(await property(host, "LimitNOFILE")).toBe("200000");
    expect(await host.machine.sh("stat -c '%U %a' /var/lib/opamp-server /etc/opamp-server")).toBe(
      "opamp-server 700\nroot 750",
    );
    expect(await host.machine.sh("ls /var/lib/opamp-server")).not.toBe("");
    await host.machine.sh(`systemctl stop ${unit}`);
    expect((await agent.closed).code).toBe(1001);
    expect(await property(host, "Result")).toBe("success");
  });

  it("is another one after an upgrade where it runs, and stays stopped where it does not", async () => {
    const { host, management } = await installed();
    await host.install(debs.newer);
    expect(await property(host, "ActiveState")).toBe("inactive");
    await host.machine.sh(`systemctl start ${unit}`);
    const first = await property(host, "MainPID");
    await host.install(debs.older);
    await ready(management);
    expect(await property(host, "MainPID")).not.toBe(first);
    expect(await enabled(host)).toBe("disabled");

    await host.machine.sh("dpkg --remove opamp-supervisor");
    expect(await property(host, "ActiveState")).toBe("inactive");
    expect(await host.machine.sh("ls /var/lib/opamp-server /etc/opamp-server")).toContain("server.yaml");
    await host.machine.sh("dpkg --purge opamp-supervisor");
    expect((await host.machine.run("ls -d /var/lib/opamp-server /etc/opamp-server")).stdout).toBe("");
  });
});
