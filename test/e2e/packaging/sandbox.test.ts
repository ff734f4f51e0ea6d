import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { DebianMachine } from "../../support/debian-machine.ts";
import { InstalledHost, makePackage } from "../../support/installed-host.ts";
import { OtlpReceiver } from "../../support/otlp-receiver.ts";
import { makeTempDir } from "../../support/temp-dir.ts";

const cannot = process.env.CI === undefined && DebianMachine.obstacle !== undefined;
const dropIns = "/opt/opamp-supervisor/systemd/drop-ins";
/** A metric of each scraper of hostmetrics. */
const metrics = {
  cpu: "system.cpu.time",
  disk: "system.disk.io",
  filesystem: "system.filesystem.usage",
  load: "system.cpu.load_average.1m",
  memory: "system.memory.usage",
  network: "system.network.io",
  paging: "system.paging.faults",
  processes: "system.processes.count",
  process: "process.cpu.time",
};

describe.skipIf(cannot)("the unit's sandbox", { timeout: 120_000 }, () => {
  const folder = makeTempDir();
  let deb = "";

  beforeAll(async () => {
    await DebianMachine.prepare();
    deb = await makePackage("deb", "1", folder.path);
  }, 400_000);
  afterAll(() => folder[Symbol.dispose]());

  async function installed(): Promise<InstalledHost> {
    const host = await InstalledHost.boot();
    await host.install(deb);
    return host;
  }

  const useDropIn = (host: InstalledHost, name: string) =>
    host.machine.sh(
      `mkdir -p /etc/systemd/system/opamp-supervisor.service.d && cp ${dropIns}/${name} /etc/systemd/system/opamp-supervisor.service.d/ && systemctl daemon-reload`,
    );

  it("is right in systemd's eyes, and its exposure at most 2.5, with any of the drop-ins too", async () => {
    const host = await installed();
    expect(await host.machine.run("systemd-analyze verify opamp-supervisor.service")).toEqual({
      code: 0,
      stdout: "",
      stderr: "",
    });
    const names = (await host.machine.sh(`cd ${dropIns} && ls *.conf`)).split("\n");
    expect(names).toContain("journald.conf");
    for (const name of [undefined, ...names]) {
      if (name !== undefined) await useDropIn(host, name);
      const check =
        "systemd-analyze security --offline=true --threshold=25 --no-pager opamp-supervisor.service";
      expect(await host.machine.sh(check)).toMatch(/Overall exposure level .*: [012]\.\d OK/);
      await host.machine.sh("rm -rf /etc/systemd/system/opamp-supervisor.service.d");
    }
  });

  it("lets hostmetrics and filelog work, the latter by a drop-in", async () => {
    const backend = await OtlpReceiver.start();
    onTestFinished(() => backend[Symbol.asyncDispose]());
    const host = await installed();
    await host.configure();
    await host.machine.sh(
      "echo a line of a log > /var/log/test.log && chown root:adm /var/log/test.log && chmod 640 /var/log/test.log",
    );
    await useDropIn(host, "read-logs.conf");
    await host.machine.sh("systemctl start opamp-supervisor");
    await host.apply({
      receivers: {
        hostmetrics: {
          collection_interval: "1s",
          initial_delay: "0s",
          scrapers: {
            ...Object.fromEntries(Object.keys(metrics).map((name) => [name, {}])),
            // A container has only such, and most of them are nobody's business.
            filesystem: {
              include_virtual_filesystems: true,
              include_mount_points: { mount_points: ["/"], match_type: "strict" },
            },
            process: { mute_process_all_errors: true },
          },
        },
        filelog: { include: ["/var/log/test.log"], start_at: "beginning" },
      },
      exporters: { otlphttp: { endpoint: backend.endpoint, encoding: "json", compression: "none" } },
      service: {
        telemetry: { metrics: { level: "none" } },
        pipelines: {
          metrics: { receivers: ["hostmetrics"], exporters: ["otlphttp"] },
          logs: { receivers: ["filelog"], exporters: ["otlphttp"] },
        },
      },
    });
    await backend.waitFor(backend.logs, ({ body }) => body === "a line of a log");
    const missing = () =>
      Object.values(metrics).filter((metric) => !backend.points.some(({ name }) => name === metric));
    await expect.poll(missing, { timeout: 20_000 }).toEqual([]);
    // Of the machine, not of the service alone.
    await backend.waitFor(
      backend.points,
      ({ name, resource }) =>
        name === "process.cpu.time" && resource["process.executable.name"] === "systemd",
    );
    const errors = host
      .read("/var/lib/opamp-supervisor/agent.log")
      .split("\n")
      .filter((line) => line.includes("Error scraping metrics"))
      .map((line) => (JSON.parse(line) as { error: string }).error);
    expect(errors).toEqual([]);
  });

  it("lets the service's user read the journal by a drop-in, and not without", async () => {
    const host = await installed();
    await host.configure();
    await host.machine.sh(
      "mkdir -p /var/log/journal && systemctl restart systemd-journald && journalctl --flush",
    );
    await host.machine.sh("echo of-this-test | systemd-cat --identifier=test && journalctl --sync");
    // What the journald receiver does: it runs journalctl.
    const command =
      "journalctl --identifier=test --output=cat --no-pager >/var/log/opamp-supervisor/read 2>&1";
    await host.dropIn(`ExecStartPre=-/bin/sh -c '${command}'`);
    await host.machine.sh("systemctl start opamp-supervisor");
    expect(host.read("/var/log/opamp-supervisor/read")).not.toContain("of-this-test");
    await useDropIn(host, "journald.conf");
    await host.machine.sh("systemctl stop opamp-supervisor && systemctl start opamp-supervisor");
    expect(host.read("/var/log/opamp-supervisor/read")).toContain("of-this-test");
  });

  it("keeps the unit's word to systemd from the Collector, and state and settings from everybody else", async () => {
    const host = await installed();
    await host.configure();
    await host.startCollecting();
    const pid = await host.collectorPid();
    expect(await host.machine.sh(`tr '\\0' '\\n' </proc/${pid}/environ`)).not.toMatch(
      /NOTIFY_SOCKET|WATCHDOG|INVOCATION_ID/,
    );
    const asNobody = await host.machine.run(
      "setpriv --reuid nobody --clear-groups cat /etc/opamp-supervisor/supervisor.yaml /etc/opamp-supervisor/environment; setpriv --reuid nobody --clear-groups ls /var/lib/opamp-supervisor",
    );
    expect(asNobody.stdout).toBe("");
    const { stdout } = await host.machine.run(`grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/${pid}/status`);
    expect(stdout.split(/\s+/).filter(Boolean)).toEqual([
      "CapEff:",
      "0000000000000000",
      "NoNewPrivs:",
      "1",
      "Seccomp:",
      "2",
    ]);
  });
});
