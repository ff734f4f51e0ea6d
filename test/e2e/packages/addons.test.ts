import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { expectRuns, isOnProbation, named } from "../../support/fault-host.ts";
import type { PackageSpec } from "../../support/package-server.ts";
import {
  packageHost,
  packageTold,
  packageVerdict,
  pushPackages,
  secondProgram,
  stepsOf,
} from "../../support/packages.ts";
import type { SupervisorHost } from "../../support/supervisor-host.ts";

// biome-ignore lint/suspicious/noTemplateCurlyInString: it is the Collector that resolves it
const reference = "${file:${env:OPAMP_PACKAGES}/rules/rule.ottl}";

/** An addon of one file with one statement, which tells from others by what it adds to the number of a record. */
function rules(host: SupervisorHost, version: string, shift: number | string): PackageSpec {
  const folder = join(host.dir, version);
  mkdirSync(folder);
  const file = join(folder, "rule.ottl");
  writeFileSync(file, `set(log.attributes["number"], log.attributes["number"] + ${shift})`);
  return { file, version, type: "addon" };
}

const usingRules = (host: SupervisorHost) => named(host, "with-rules", { statements: [reference] });

/** Resolves when a record that is sent from now on arrives with `shift` added to its number. */
async function expectShift(host: SupervisorHost, shift: number): Promise<void> {
  const sender = host.send();
  const { number } = await sender.accepted();
  await sender.stop();
  await host.sink.waitFor([number + shift]);
}

describe("an addon", () => {
  it("is used by a configuration of the same message, changed by a reload, and gone back from when it is bad", async () => {
    const rig = await packageHost();
    const { host, files, pid, sender } = rig;
    const config = usingRules(host);
    host.server.push({
      remoteConfig: config,
      packagesAvailable: await files.offer({ rules: rules(host, "one", 1_000_000) }),
    });
    await host.server.verdict(config);
    expect(await packageVerdict(host.server, "rules")).toBe("Installed one");
    await host.server.until("in effect", () => host.server.effectiveText.includes("with-rules"));
    await expectShift(host, 1_000_000);

    let from = host.server.mark;
    pushPackages(host, await files.offer({ rules: rules(host, "two", 2_000_000) }));
    expect(await packageTold(host.server, "rules", /^Install(ed two|Failed)/, from)).toBe("Installed two");
    await expectShift(host, 2_000_000);
    expect(stepsOf(host.server, "rules", from)).toEqual([
      "InstallPending",
      "Downloading",
      "Installing",
      "Installed",
    ]);

    from = host.server.mark;
    const untouched = host.send();
    pushPackages(host, await files.offer({ rules: rules(host, "three", "(") }));
    expect(await packageTold(host.server, "rules", /^InstallFailed/, from)).toMatch(/invalid syntax/);
    await expectShift(host, 2_000_000);
    expect((await untouched.stop()).refused).toEqual([]);
    // It was the same process throughout.
    expect(await host.onlyCollector()).toBe(pid);
    await sender.stop();
  });

  it("that is in use stays when it is not offered any more, until the configuration does without it", async () => {
    const rig = await packageHost({ settings: { packages: { keep: 0 } } });
    const { host, files } = rig;
    const config = usingRules(host);
    host.server.push({
      remoteConfig: config,
      packagesAvailable: await files.offer({
        rules: rules(host, "one", 1_000_000),
        table: rules(host, "table", 1),
      }),
    });
    expect(await packageVerdict(host.server, "table")).toBe("Installed table");
    await host.server.verdict(config);
    const versions = join(host.stateDir, "packages", "versions");
    const own = join(host.dir, "own-rules.ottl");
    writeFileSync(own, 'set(log.attributes["a"], 1)');

    // The one that nobody uses goes, and nothing else.
    pushPackages(host, await files.offer({ rules: { ...rules(host, "again", 1_000_000), version: "one" } }));
    await host.server.until("gone", () => host.server.state?.packageStatuses?.packages.table === undefined);
    await eventually("deleted", () => readdirSync(join(versions, "table")).length === 0);
    await expectShift(host, 1_000_000);

    pushPackages(host, await files.offer({}));
    await host.server.until("refused", () =>
      host.server.state?.packageStatuses?.errorMessage.includes("no such file or directory"),
    );
    expect(host.server.state?.packageStatuses?.packages.rules?.agentHasVersion).toBe("one");
    await expectShift(host, 1_000_000);

    host.server.push({ remoteConfig: named(host, "after"), packagesAvailable: await files.offer({}) });
    await expectRuns(host, "after");
    await host.server.until("gone", () => host.server.state?.packageStatuses?.packages.rules === undefined);
    expect(host.server.state?.packageStatuses?.errorMessage).toBe("");
    await eventually("the probation is over", async () => !(await isOnProbation(host)));
    await host.apply(named(host, "later"));
    await eventually("deleted", () => readdirSync(join(versions, "rules")).length === 0);
    expect(existsSync(own)).toBe(true);
  });

  it("comes and goes beside the program: both are one change", async () => {
    const rig = await packageHost();
    const { host, files } = rig;
    const config = usingRules(host);
    host.server.push({
      remoteConfig: config,
      packagesAvailable: await files.offer({ "": secondProgram(), rules: rules(host, "one", 1_000_000) }),
    });
    expect(await packageVerdict(host.server, "rules")).toBe("Installed one");
    expect(await packageVerdict(host.server, "")).toBe("Installed 2.0");
    await expectShift(host, 1_000_000);
    // One bad one refuses all, and each says so.
    const from = host.server.mark;
    pushPackages(
      host,
      await files.offer({
        "": { ...secondProgram(), version: "3.0" },
        rules: { ...rules(host, "two", 2_000_000), contentHash: Buffer.alloc(32, 7) },
      }),
    );
    expect(await packageTold(host.server, "", /^InstallFailed/, from)).toMatch(/refused together with rules/);
    expect(await packageTold(host.server, "rules", /^InstallFailed/, from)).toMatch(/no source has/);
    expect(host.server.state?.packageStatuses?.packages[""]?.agentHasVersion).toBe("2.0");
    await expectShift(host, 1_000_000);
  });
});
