import { describe, expect, it } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { expectRuns } from "../../support/fault-host.ts";
import {
  offerProgram,
  packageHost,
  packageVerdict,
  secondProgram,
  statusOf,
  stepsOf,
} from "../../support/packages.ts";

describe("package statuses", () => {
  it("are empty before any offer, outlive the supervisor, and are repeated on demand", async () => {
    const rig = await packageHost();
    const { host, files, sender } = rig;
    const before = host.server.state?.packageStatuses;
    expect(before?.packages).toEqual({});
    expect(before?.serverProvidedAllPackagesHash).toHaveLength(0);
    const offer = await offerProgram(rig, secondProgram());
    expect(await packageVerdict(host.server, "")).toBe("Installed 2.0");
    await expectRuns(host, "before");
    const installed = host.server.state?.packageStatuses;
    const pid = await host.onlyCollector();
    const { refused } = await sender.stop();
    const adopted = host.send();
    await adopted.accepted();

    // A server that offers to whoever does not say that it has what is offered.
    const from = host.server.mark;
    let offers = 0;
    host.server.answer = ({ message: { packageStatuses, agentDescription } }) => {
      if (agentDescription === undefined && packageStatuses === undefined) return {};
      const hash = packageStatuses?.serverProvidedAllPackagesHash ?? new Uint8Array();
      if (Buffer.compare(hash, offer.allPackagesHash) === 0) return {};
      offers += 1;
      return { packagesAvailable: offer };
    };
    await host.restart("SIGKILL");
    await expectRuns(host, "before");
    // It is adopted: nothing is refused beyond the one restart that brought the package.
    expect(await host.onlyCollector()).toBe(pid);
    expect((await adopted.stop()).refused).toEqual([]);
    expect(refused.length).toBeLessThan(300);
    expect(stepsOf(host.server, "", from)).toEqual(["Installed"]);
    expect(host.server.state?.packageStatuses).toEqual(installed);
    expect(files.requests).toHaveLength(1);
    expect(offers).toBe(0);

    host.server.answer = () => ({});
    const demanded = host.server.mark;
    host.server.push({ flags: 1n });
    expect(await host.server.reported("packageStatuses", undefined, demanded)).toEqual(installed);
  });

  it("of a failure outlive the supervisor too, and a failure is not tried again for that", async () => {
    const rig = await packageHost();
    const { host, files, pid } = rig;
    await offerProgram(rig, { file: "/bin/true", version: "true" });
    await packageVerdict(host.server, "");
    await eventually("it is over", async () => (await host.readState("journal.json")) === "null\n");
    const failed = statusOf(host.server, "");
    const from = host.server.mark;
    await host.restart("SIGKILL");
    await expectRuns(host, "before");
    expect(statusOf(host.server, "")).toEqual(failed);
    expect(stepsOf(host.server, "", from)).toEqual(["InstallFailed"]);
    expect(files.requests).toHaveLength(1);
    expect(await host.onlyCollector()).toBe(pid);
    await rig.sender.stop();
  });
});
