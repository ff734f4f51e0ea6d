import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DebianMachine } from "../../support/debian-machine.ts";
import { InstalledHost, makePackage, settingsPath, statePath } from "../../support/installed-host.ts";
import { makeTempDir } from "../../support/temp-dir.ts";

const cannot = process.env.CI === undefined && DebianMachine.obstacle !== undefined;
const instanceId = "01944a9c-5dea-7a7e-8000-7e57ab1e0001";
const referenceState = "/var/lib/opampsupervisor";

describe.skipIf(cannot)("opamp-supervisor-take-over", { timeout: 120_000 }, () => {
  const folder = makeTempDir();
  let deb = "";

  beforeAll(async () => {
    await DebianMachine.prepare();
    deb = await makePackage("deb", "1", folder.path);
  }, 400_000);
  afterAll(() => folder[Symbol.dispose]());

  /** A host where the reference runs: its package's paths, and in its program's place one that only runs. */
  async function withReference(settings: (host: InstalledHost) => object): Promise<[InstalledHost, string]> {
    const host = await InstalledHost.boot();
    await host.machine.sh(
      `useradd --system opampsupervisor && install -d -o opampsupervisor -m 700 ${referenceState} && mkdir /etc/opampsupervisor`,
    );
    host.write(`${referenceState}/persistent_state.yaml`, `instance_id: ${instanceId}\n`);
    host.write("/etc/opampsupervisor/config.yaml", JSON.stringify(settings(host)));
    host.write(
      "/etc/opampsupervisor/opampsupervisor.conf",
      'OPAMP_OPTIONS="--config=/etc/opampsupervisor/config.yaml"\nOPAMP_HOST="127.0.0.1"\n',
    );
    host.write(
      "/etc/systemd/system/opampsupervisor.service",
      "[Service]\nUser=opampsupervisor\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n",
    );
    await host.machine.sh("systemctl daemon-reload && systemctl enable --now opampsupervisor");
    return [host, await host.install(deb)];
  }

  const referenceSettings = (host: InstalledHost) => ({
    ...host.settings,
    server: { endpoint: `ws://\${env:OPAMP_HOST}:${host.server.port}/v1/opamp` },
    storage: { directory: referenceState },
    telemetry: { logs: { output_paths: ["/var/log/opampsupervisor/opampsupervisor.log"] } },
  });

  it("is what an installation beside the reference advises; it keeps settings and identity", async () => {
    const [host, said] = await withReference(referenceSettings);
    expect(said).toContain("opamp-supervisor-take-over");
    expect(await host.machine.sh("opamp-supervisor-take-over --dry-run")).toContain("nothing was changed");
    expect(await host.machine.sh("systemctl is-active opampsupervisor")).toBe("active");

    const output = await host.machine.sh("opamp-supervisor-take-over");
    expect(output).toContain("systemctl enable --now opampsupervisor.service");
    expect((await host.machine.run("systemctl is-active opampsupervisor")).stdout.trim()).toBe("inactive");
    expect((await host.machine.run("systemctl is-enabled opampsupervisor")).stdout.trim()).toBe("disabled");
    await host.offerPipeline();
    await host.expectDataFlowsThrough(async () => undefined);
    expect(host.read(`${statePath}/persistent_state.yaml`)).toContain(instanceId);
    expect(host.read(`${referenceState}/persistent_state.yaml`)).toBe(`instance_id: ${instanceId}\n`);
    const again = await host.machine.run("opamp-supervisor-take-over");
    expect(again.code).toBe(1);
    expect(again.stderr).toContain(`${settingsPath} is there`);
  });

  it("changes nothing where the settings cannot be used", async () => {
    const [host] = await withReference((host) => ({
      ...referenceSettings(host),
      server: { endpoint: "ftp://nowhere" },
    }));
    const { code, stderr } = await host.machine.run("opamp-supervisor-take-over");
    expect(code).toBe(1);
    expect(stderr).toContain("server::endpoint");
    expect(await host.machine.sh("systemctl is-active opampsupervisor")).toBe("active");
    expect((await host.machine.run(`ls ${settingsPath} ${settingsPath}.new`)).stdout).toBe("");
  });

  it("puts everything back when opamp-supervisor does not start", async () => {
    const [host] = await withReference(referenceSettings);
    await host.dropIn("ExecStart=", "ExecStart=/bin/false", "Restart=no");
    const { code, stderr } = await host.machine.run("opamp-supervisor-take-over");
    expect(code).toBe(1);
    expect(stderr).toContain("everything is as before");
    expect(await host.machine.sh("systemctl is-active opampsupervisor")).toBe("active");
    expect(await host.machine.sh("systemctl is-enabled opampsupervisor")).toBe("enabled");
    expect((await host.machine.run(`ls ${settingsPath} ${statePath}/*`)).stdout).toBe("");
    expect(host.read("/etc/opamp-supervisor/environment")).not.toContain("OPAMP_HOST");
  });
});
