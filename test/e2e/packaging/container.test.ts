import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DebianMachine } from "../../support/debian-machine.ts";
import { eventually } from "../../support/eventually.ts";
import { freePort } from "../../support/free-port.ts";
import { InstalledHost, makePackage, settingsPath, statePath } from "../../support/installed-host.ts";
import { makeTempDir } from "../../support/temp-dir.ts";

const cannot = process.env.CI === undefined && DebianMachine.obstacle !== undefined;
const folder = new URL("../../../packaging/container/", import.meta.url).pathname;
const containerfile = readFileSync(`${folder}Containerfile`, "utf8");

/** The words of the last such instruction, which is the supervisor's. */
function words(instruction: "ENTRYPOINT" | "CMD" | "HEALTHCHECK"): string[] {
  const lines = containerfile.split("\n").filter((line) => line.startsWith(`${instruction} `));
  return JSON.parse(/\[.*\]$/.exec(lines.at(-1)!)![0]) as string[];
}

/**
 * No container engine is needed: a clean Debian is made into the image by the script that makes the image, and its
 * entry point runs as the image's user in a process and mount namespace of its own, on a root that cannot be written.
 */
describe.skipIf(cannot)("the image", { timeout: 180_000 }, () => {
  const packages = makeTempDir();
  let tarball = "";

  beforeAll(async () => {
    await DebianMachine.prepare();
    tarball = await makePackage("tar", "1", packages.path);
  }, 400_000);
  afterAll(() => packages[Symbol.dispose]());

  async function image() {
    const healthPort = await freePort();
    const host = await InstalledHost.boot();
    await host.machine.sh("mkdir /srv/artifacts");
    host.machine.copyIn(tarball, `/srv/artifacts/${basename(tarball)}`);
    host.machine.copyIn(`${folder}install.sh`, "/srv/install.sh");
    const architecture = process.arch === "x64" ? "amd64" : process.arch;
    await host.machine.sh(`sh /srv/install.sh ${architecture} /srv/artifacts`);
    const container = { agent: { ...host.settings.agent, on_supervisor_exit: "stop" } };
    const healthcheck = { endpoint: `127.0.0.1:${healthPort}` };
    host.write(settingsPath, JSON.stringify({ ...host.settings, ...container, healthcheck }));
    // The port is this machine's, where other tests run.
    const check = words("HEALTHCHECK").join(" ").replace("13133", String(healthPort));
    return { host, check };
  }

  /** Starts what the Containerfile names, and resolves to its exit code when all of it has ended. */
  function start(host: InstalledHost): Promise<number> {
    const user = /^USER (\d+):(\d+)$/m.exec(containerfile)!;
    const program = [...words("ENTRYPOINT"), ...words("CMD")].join(" ");
    const inside = [
      `mount --bind ${statePath} ${statePath}`,
      "mount -t tmpfs none /tmp",
      "mount -o remount,bind,ro /",
      `exec setpriv --reuid ${user[1]} --regid ${user[2]} --clear-groups --no-new-privs --bounding-set=-all ${program}`,
    ].join(" && ");
    const ended = host.machine.run(
      `exec unshare --pid --fork --mount --mount-proc --kill-child sh -c '${inside}'`,
    );
    return ended.then(({ code }) => code);
  }

  const pidOf = (host: InstalledHost, pattern: string) =>
    eventually(
      pattern,
      async () => (await host.machine.run(`pgrep -f '${pattern}'`)).stdout.trim().split("\n")[0] ?? "",
    );

  const supervisor = "dist/supervisor.cjs --config";

  it("supervises as nobody on a read-only root, and SIGTERM to its first process ends both in good order", async () => {
    const { host, check } = await image();
    const ended = start(host);
    await host.healthy(0);
    await host.offerPipeline();
    const sender = host.send();
    await sender.accepted();
    const { refused } = await sender.stop();
    expect(refused).toEqual([]);
    const status = await host.machine.sh(`cat /proc/${await pidOf(host, supervisor)}/status`);
    expect(status).toMatch(/^Uid:\s+65532\s+65532\s/m);
    expect(status).toMatch(/^CapBnd:\s+0+$/m);
    await host.machine.sh(check);
    await host.machine.sh(`kill -TERM ${await pidOf(host, "^/usr/bin/tini")}`);
    expect(await ended).toBe(0);
    expect(await host.collectors()).toEqual([]);
    expect((await host.machine.run(check)).code).toBe(1);
  });

  it("ends with its Collector when the supervisor dies, and goes on from its state when it is started again", async () => {
    const { host } = await image();
    const first = start(host);
    await host.healthy(0);
    await host.offerPipeline();
    const collector = await host.collectorPid();
    await host.machine.sh(`kill -KILL ${await pidOf(host, supervisor)}`);
    expect(await first).not.toBe(0);
    expect(await host.collectors()).toEqual([]);
    const from = host.server.mark;
    const second = start(host);
    await host.healthy(from);
    expect(await host.collectorPid()).not.toBe(collector);
    const sender = host.send();
    await sender.accepted();
    await sender.stop();
    await host.machine.sh(`kill -TERM ${await pidOf(host, "^/usr/bin/tini")}`);
    expect(await second).toBe(0);
  });

  it("says what is missing when there are no settings", async () => {
    const { host } = await image();
    await host.machine.sh(`rm ${settingsPath}`);
    const { code, stderr } = await host.machine.run([...words("ENTRYPOINT"), ...words("CMD")].join(" "));
    expect(code).toBe(2);
    expect(stderr).toContain(settingsPath);
  });
});
