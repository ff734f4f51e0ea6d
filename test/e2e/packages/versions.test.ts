import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { collectorBinary, secondCollectorBinary } from "../../support/collector.ts";
import { eventually } from "../../support/eventually.ts";
import { expectRuns, isOnProbation } from "../../support/fault-host.ts";
import { zipOf } from "../../support/package-archives.ts";
import {
  packageHost,
  packageTold,
  pushPackages,
  runningProgram,
  secondProgram,
  statusOf,
  stepsOf,
  versionOf,
} from "../../support/packages.ts";

const firstProgram = () => ({ file: collectorBinary(), version: "1.0" });

describe("versions of a package", () => {
  it("change up and down; the one before is kept, and needs no network to come back", async () => {
    const rig = await packageHost();
    const { host, files, sender } = rig;
    const up = await files.offer({ "": secondProgram() });
    const down = await files.offer({ "": firstProgram() });
    const steps: string[][] = [];
    for (const [offer, version] of [
      [up, "2.0"],
      [down, "1.0"],
      [up, "2.0"],
      [down, "1.0"],
    ] as const) {
      const from = host.server.mark;
      pushPackages(host, offer);
      const told = await packageTold(host.server, "", new RegExp(`^Install(ed ${version}|Failed)`), from);
      expect(told).toBe(`Installed ${version}`);
      steps.push(stepsOf(host.server, "", from));
      await host.server.until(
        "its version",
        () => versionOf(host.server) === (version === "2.0" ? "0.149.1" : "0.149.0"),
      );
      await expectRuns(host, "before");
      await eventually("the probation is over", async () => !(await isOnProbation(host)));
      const downloads = join(host.stateDir, "packages", "downloads");
      await eventually("no download stays", () => readdirSync(downloads).length === 0);
    }
    expect(steps).toEqual([
      ["InstallPending", "Downloading", "Installing", "Installed"],
      ["InstallPending", "Downloading", "Installing", "Installed"],
      ["InstallPending", "Installing", "Installed"],
      ["InstallPending", "Installing", "Installed"],
    ]);
    expect(files.requests).toHaveLength(2);
    // Nothing more than what runs and what ran before stays on disk.
    const versions = join(host.stateDir, "packages", "versions", "_");
    await eventually(
      "tidied up",
      () => readdirSync(versions).filter((name) => !name.includes(".")).length === 2,
    );
    // Taken back altogether: the host's own program runs again.
    pushPackages(host, await files.offer({}));
    await host.server.until("none is held", () => statusOf(host.server, "") === undefined);
    await expectRuns(host, "before");
    expect(await runningProgram(host)).toBe(collectorBinary());
    await host.sink.waitFor((await sender.stop()).accepted);
  });

  it("that runs already is not started again for a new name of the same", async () => {
    const rig = await packageHost();
    const { host, files } = rig;
    pushPackages(host, await files.offer({ "": secondProgram() }));
    await packageTold(host.server, "", /^Installed/);
    const pid = await host.onlyCollector();
    pushPackages(host, await files.offer({ "": secondProgram() }));
    await host.expectDataFlows();
    expect(await host.onlyCollector()).toBe(pid);
    expect(files.requests).toHaveLength(1);
  });

  it.each(["tar.gz", "zip"] as const)("come as %s too", async (kind) => {
    const rig = await packageHost();
    const { host, files, sender } = rig;
    const folder = join(host.dir, "dist");
    mkdirSync(folder);
    copyFileSync(secondCollectorBinary(), join(folder, "otelcol"));
    writeFileSync(join(folder, "README.md"), "read me\n");
    const file = join(host.dir, `collector.${kind}`);
    if (kind === "tar.gz")
      execFileSync("tar", ["-C", host.dir, "--use-compress-program=gzip -1", "-cf", file, "dist"]);
    else
      writeFileSync(
        file,
        zipOf([
          { name: "README.md", content: "read me\n", mode: 0o100644 },
          { name: "otelcol", content: readFileSync(join(folder, "otelcol")), mode: 0o100755, stored: true },
        ]),
      );
    pushPackages(host, await files.offer({ "": { file, version: "2.0" } }));
    expect(await packageTold(host.server, "", /^Install(ed|Failed)/)).toBe("Installed 2.0");
    await expectRuns(host, "before");
    expect(await runningProgram(host)).toMatch(/\/packages\/versions\/_\/.*otelcol$/);
    await host.sink.waitFor((await sender.stop()).accepted);
  });
});
