import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { secondCollectorBinary } from "../../support/collector.ts";
import { eventually } from "../../support/eventually.ts";
import { takingPackages } from "../../support/packages.ts";
import { supervisorHost } from "../../support/supervisor-host.ts";
import { tempDir } from "../../support/temp-dir.ts";

describe("a host that no server reaches", () => {
  it("takes a Collector that somebody puts into packages.drop_folder, once", async () => {
    const drop = tempDir();
    await mkdir(drop, { recursive: true });
    const host = await supervisorHost(
      takingPackages({
        server: "down",
        configFiles: { "local.yaml": {} },
        settings: { packages: { drop_folder: drop } },
      }),
    );
    host.writeConfigFile("local.yaml", host.pipeline());
    const supervisor = await host.start();
    await host.expectDataFlows();
    const before = await host.onlyCollector();

    await copyFile(secondCollectorBinary(), join(drop, "otelcol"));
    const sha256 = createHash("sha256")
      .update(await readFile(secondCollectorBinary()))
      .digest("hex");
    const manifest = `packages: {collector: {version: "2", file: otelcol, sha256: "${sha256}"}}`;
    await writeFile(join(drop, "offer.yaml"), manifest);
    await supervisor.waitFor("packages_installed");
    expect(await host.onlyCollector()).not.toBe(before);
    await host.expectDataFlows();
    const after = await host.onlyCollector();
    await supervisor.kill("SIGKILL");

    const next = await host.start();
    await next.waitFor("collector_adopted");
    await next.waitFor("started");
    await eventually("the same Collector runs on", async () => (await host.onlyCollector()) === after);
    expect(next.lines.filter(({ event }) => event === "packages_received")).toEqual([]);
  });
});
