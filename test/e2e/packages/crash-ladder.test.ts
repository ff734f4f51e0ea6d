import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { expectRuns, isOnProbation, named } from "../../support/fault-host.ts";
import {
  crashesWhen,
  expectTakenBack,
  offerProgram,
  type PackageHost,
  packageHost,
  packageTold,
  packageVerdict,
  pushPackages,
  runningProgram,
  scriptedProgram,
  statusOf,
  stepsOf,
} from "../../support/packages.ts";

// A crash loop without waits in between, so that the test need not wait either.
const agent = { probation: "100ms", crash_loop: { max_exits: 2 } };

/** A package that is beyond its probation and ends whenever "die" is there. */
async function installed(rig: PackageHost): Promise<void> {
  const { host } = rig;
  await offerProgram(rig, scriptedProgram(host, "doomed", crashesWhen("die")));
  expect(await packageVerdict(host.server, "")).toBe("Installed doomed");
  await eventually("the probation is over", async () => !(await isOnProbation(host)));
}

describe("a program of a package that ends again and again, long after its probation", () => {
  it("gives way to the program before it", { timeout: 30_000 }, async () => {
    const rig = await packageHost({ agent });
    const { host } = rig;
    await installed(rig);
    const from = host.server.mark;
    writeFileSync(join(host.dir, "die"), "");
    expect(await packageTold(host.server, "", /^InstallFailed/, from)).toMatch(/taken back: crash loop/);
    await host.server.until("it says so", () =>
      host.server.state?.health?.status.startsWith("last-known-good"),
    );
    await expectTakenBack(rig);
    expect(statusOf(host.server, "")?.agentHasVersion).toBe("");
    expect(stepsOf(host.server, "", from)).toEqual(["InstallFailed"]);
  });

  it("gives way also when it has run more than one configuration", { timeout: 30_000 }, async () => {
    const rig = await packageHost({ agent });
    const { host } = rig;
    await installed(rig);
    let config = named(host, "second");
    for (const name of ["second", "third"]) {
      config = await host.apply(named(host, name));
      await eventually("the probation is over", async () => !(await isOnProbation(host)));
    }
    const from = host.server.mark;
    writeFileSync(join(host.dir, "die"), "");
    expect(await packageTold(host.server, "", /^InstallFailed/, from)).toMatch(/taken back: crash loop/);
    // The best configuration that is known, with the program that is known to run.
    await expectRuns(host, "second");
    await host.server.until("it says so", () =>
      host.server.state?.health?.status.startsWith("last-known-good"),
    );
    expect(host.server.statusesOf(config, from)).toEqual(["FAILED"]);
    expect(await runningProgram(host)).not.toContain("/packages/");
    expect(statusOf(host.server, "")?.agentHasVersion).toBe("");
    // What went wrong is over, and the server offers the package and a configuration again.
    rmSync(join(host.dir, "die"));
    const later = host.server.mark;
    pushPackages(host, await rig.files.offer({ "": scriptedProgram(host, "doomed", crashesWhen("die")) }));
    expect(await packageTold(host.server, "", /^Installed/, later)).toBe("Installed doomed");
    await host.apply(named(host, "fourth"));
  });
});
