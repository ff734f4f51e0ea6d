import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { secondCollectorBinary } from "../../support/collector.ts";
import { PackageServer } from "../../support/package-server.ts";
import {
  offerProgram,
  packageHost,
  packageVerdict,
  secondProgram,
  storyOf,
  takingPackages,
  versionOf,
} from "../../support/packages.ts";
import { supervisorHost } from "../../support/supervisor-host.ts";

describe("a Collector binary that the server offers", () => {
  it("is downloaded, checked, switched to and proven; the old one runs until then", async () => {
    const host = await supervisorHost(takingPackages());
    const files = await PackageServer.start();
    await host.startHealthy();
    await host.apply(host.remotePipeline());
    const before = host.collectorPid();
    const sender = host.send();
    await sender.accepted();

    const from = host.server.mark;
    const offer = await files.offer({ "": { file: secondCollectorBinary(), version: "2.0" } });
    host.server.push({ packagesAvailable: offer });
    expect(await packageVerdict(host.server, "", from)).toBe("Installed 2.0");
    await host.server.until("the new version", () => versionOf(host.server) === "0.149.1");
    await sender.accepted();
    const { refused } = await sender.stop();

    expect(storyOf(host.server, "", from)).toEqual([
      "InstallPending",
      "Downloading",
      "Installing",
      "Installed 2.0",
    ]);
    const pid = await host.onlyCollector();
    expect(pid).not.toBe(before);
    expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).toContain("/packages/versions/_/");
    const { serverProvidedAllPackagesHash } = host.server.state?.packageStatuses ?? {};
    expect(Buffer.from(serverProvidedAllPackagesHash ?? [])).toEqual(offer.allPackagesHash);
    expect(host.server.effectiveText).toContain("otlphttp");
    // Only what was sent while the one stopped and the other started.
    expect(refused.length).toBeLessThan(300);
    await host.expectDataFlows();
  });

  it("is proven also where the configuration gives the Collector a version of its own", async () => {
    const description = { identifying_attributes: { "service.version": "house-7" } };
    const rig = await packageHost({ agent: { description } });
    const { host } = rig;
    const from = host.server.mark;
    await offerProgram(rig, secondProgram());
    expect(await packageVerdict(host.server, "", from)).toBe("Installed 2.0");
  });
});
