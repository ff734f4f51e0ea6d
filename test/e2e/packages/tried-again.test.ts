import { describe, expect, it } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { expectRuns, named } from "../../support/fault-host.ts";
import {
  expectTakenBack,
  offerProgram,
  packageHost,
  packageTold,
  packageVerdict,
  pushPackages,
  scriptedProgram,
  secondProgram,
  startsOf,
  stepsOf,
} from "../../support/packages.ts";
import type { SupervisorHost } from "../../support/supervisor-host.ts";

const badProgram = (host: SupervisorHost) => scriptedProgram(host, "bad", "--config) exit 3;;");

describe("a package whose program ends at its start", () => {
  it("is not tried a fourth time, nor after a restart of the supervisor, until another one is offered", async () => {
    const rig = await packageHost();
    const { host, files } = rig;
    const offer = await offerProgram(rig, badProgram(host));
    expect(await packageVerdict(host.server, "")).toMatch(/exit code 3/);
    await expectRuns(host, "before");
    for (const _try of [2, 3]) {
      const from = host.server.mark;
      pushPackages(host, offer);
      expect(await packageVerdict(host.server, "", from)).toMatch(/exit code 3/);
      expect(stepsOf(host.server, "", from)).toEqual(expect.arrayContaining(["Installing", "InstallFailed"]));
      await expectRuns(host, "before");
    }
    // Fetched once only.
    expect(files.requests).toHaveLength(1);

    const pid = await host.onlyCollector();
    const starts = await startsOf(host);
    let from = host.server.mark;
    pushPackages(host, offer);
    await eventually("refused", () => refusals(host) === 4);
    expect(stepsOf(host.server, "", from).filter((step) => step !== "InstallFailed")).toEqual([]);
    await expectRuns(host, "before");
    expect(await host.onlyCollector()).toBe(pid);

    from = host.server.mark;
    await host.restart();
    expect(await packageTold(host.server, "", /InstallFailed: .*exit code 3/, from)).toBeTruthy();
    pushPackages(host, offer);
    await eventually("refused", () => refusals(host) === 5);
    await expectRuns(host, "before");
    expect(await startsOf(host)).toBe(starts);
    expect(await host.onlyCollector()).toBe(pid);

    from = host.server.mark;
    pushPackages(host, await files.offer({ "": secondProgram() }));
    expect(await packageTold(host.server, "", /^Installed/, from)).toBe("Installed 2.0");
    await expectRuns(host, "before");
  });
});

const refusals = (host: SupervisorHost) =>
  host.logLines.filter(({ event }) => event === "packages_failed").length;

describe("a server that offers packages until they are installed", () => {
  it("comes to an end with a bad one, and with a good one", async () => {
    const rig = await packageHost();
    const { host, files } = rig;
    const offer = await files.offer({ "": badProgram(host) });
    host.server.answer = ({ message: { packageStatuses } }) => {
      const status = packageStatuses?.packages[""];
      return status !== undefined && status.errorMessage !== "" ? { packagesAvailable: offer } : {};
    };
    pushPackages(host, offer);
    await eventually("given up", () => refusals(host) >= 4);
    await expectTakenBack(rig);
    expect(stepsOf(host.server, "").filter((step) => step === "Installing")).toHaveLength(3);
    host.server.answer = () => ({});
    const config = named(host, "after");
    await host.apply(config);
    await expectRuns(host, "after");
  });
});
