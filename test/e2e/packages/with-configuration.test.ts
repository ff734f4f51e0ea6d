import { describe, expect, it } from "vitest";
import type { AgentRemoteConfig } from "../../../src/opamp/messages.ts";
import { fewerCollectorBinary } from "../../support/collector.ts";
import { expectRuns, lastStatusOf, named } from "../../support/fault-host.ts";
import type { PackageSpec } from "../../support/package-server.ts";
import {
  expectTakenBack,
  expectUntouched,
  type PackageHost,
  packageHost,
  packageVerdict,
  runningProgram,
  scriptedProgram,
  secondProgram,
  startsOf,
  stepsOf,
} from "../../support/packages.ts";
import { remoteConfig } from "../../support/recording-opamp-server.ts";

const bad = remoteConfig({ "": { receivers: { doesntexist: {} } } });
const refusedSteps = ["InstallPending", "Downloading", "Installing", "InstallFailed"];

/** One message with both; resolves to what became of the package and of the configuration. */
async function offerBoth({ host, files }: PackageHost, config: AgentRemoteConfig, spec: PackageSpec) {
  const from = host.server.mark;
  host.server.push({ remoteConfig: config, packagesAvailable: await files.offer({ "": spec }) });
  const [verdict, { errorMessage }] = await Promise.all([
    packageVerdict(host.server, "", from),
    host.server.verdict(config, from),
  ]);
  return { from, verdict, errorMessage };
}

describe("a configuration and a package in one message", () => {
  it("are one change: one restart, and both are told", async () => {
    const rig = await packageHost();
    const { host, sender, pid } = rig;
    const before = await startsOf(host);
    const config = named(host, "after", { statements: ['set(log.attributes["seen"], true)'] });
    const { from, verdict, errorMessage } = await offerBoth(rig, config, secondProgram());
    expect(verdict).toBe("Installed 2.0");
    expect(errorMessage).toBe("");
    await expectRuns(host, "after");
    expect(await runningProgram(host)).toContain("/packages/versions/_/");
    expect(host.collectorPid()).not.toBe(pid);
    expect((await startsOf(host)) - before).toBe(1);
    expect(host.server.statusesOf(config, from)).toEqual(["APPLYING", "APPLIED"]);
    await host.sink.waitFor((await sender.stop()).accepted);
  });

  it("are both refused, before anything is stopped, when the new program lacks what the configuration needs", async () => {
    const rig = await packageHost();
    const config = named(rig.host, "after", { statements: ['set(log.attributes["seen"], true)'] });
    const program = { file: fewerCollectorBinary(), version: "fewer" };
    const { from, verdict, errorMessage } = await offerBoth(rig, config, program);
    expect(verdict).toMatch(/^InstallFailed: .*transform/);
    expect(errorMessage).toContain("transform");
    await expectUntouched(rig);
    expect(stepsOf(rig.host.server, "", from)).toEqual(refusedSteps);
    // What was to come together is not tried by halves.
    rig.host.server.offer(config);
    await rig.host.expectDataFlows();
    await expectRuns(rig.host, "before");
    expect(lastStatusOf(rig.host, config)).toBe("FAILED");
  });

  it("are both refused when the configuration is bad; the package alone is installed", async () => {
    const rig = await packageHost();
    const { verdict, errorMessage, from } = await offerBoth(rig, bad, secondProgram());
    expect(verdict).toMatch(/^InstallFailed: .*doesntexist/);
    expect(errorMessage).toContain("doesntexist");
    await expectUntouched(rig);
    expect(stepsOf(rig.host.server, "", from)).toEqual(refusedSteps);
    expect(rig.host.server.statusesOf(bad, from)).toEqual(["APPLYING", "FAILED"]);
    const later = rig.host.server.mark;
    rig.host.server.push({ packagesAvailable: await rig.files.offer({ "": secondProgram() }) });
    expect(await packageVerdict(rig.host.server, "", later)).toBe("Installed 2.0");
    await expectRuns(rig.host, "before");
  });

  it("are both refused when the package cannot be used; another configuration is applied", async () => {
    const rig = await packageHost();
    const { host } = rig;
    const config = named(host, "after");
    const { verdict, errorMessage } = await offerBoth(rig, config, { file: "/bin/true", version: "true" });
    expect(verdict).toMatch(/^InstallFailed: .*not an OpenTelemetry Collector/);
    expect(errorMessage).toContain("not an OpenTelemetry Collector");
    await expectUntouched(rig);
    await host.apply(named(host, "later"));
    await expectRuns(host, "later");
  });

  it("are both refused when the package cannot be had", async () => {
    const rig = await packageHost();
    const config = named(rig.host, "after");
    const wrong = { ...secondProgram(), contentHash: Buffer.alloc(32, 7) };
    const { verdict, errorMessage, from } = await offerBoth(rig, config, wrong);
    expect(verdict).toMatch(/^InstallFailed: no source has/);
    expect(errorMessage).toMatch(/it came with packages that were not installed: no source has/);
    await expectUntouched(rig);
    expect(rig.host.server.statusesOf(config, from)).toEqual(["FAILED"]);
  });

  it("are both taken back when the program ends at its start", async () => {
    const rig = await packageHost();
    const { host } = rig;
    const config = named(host, "after");
    const program = scriptedProgram(host, "bad", "--config) exit 3;;");
    const { verdict, errorMessage, from } = await offerBoth(rig, config, program);
    expect(verdict).toMatch(/^InstallFailed: .*exit code 3/);
    expect(errorMessage).toContain("exit code 3");
    await expectTakenBack(rig);
    expect(host.server.statusesOf(config, from)).toEqual(["APPLYING", "FAILED"]);
  });
});
