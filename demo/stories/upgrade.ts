import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "../../test/support/free-port.ts";
import {
  type AgentView,
  collectorFrom,
  downloadMiBPerSecond,
  type PackageView,
  type Stage,
} from "../stage.ts";
import { type Noticed, Traffic } from "../traffic.ts";
import { announce, dim, done, quote } from "../voice.ts";
import { apply, awaitEffective, awaitStart } from "./steps.ts";
import type { Story } from "./story.ts";

/** As the server's folder calls it; a top-level package, by that name. */
const packageName = "collector";
const versions = { newer: "0.149.1", lacking: "0.149.0-lacking", crashing: "0.149.2-crashing" };

const rule = 'set(attributes["team"], "platform")';

/** Packages: one that is better, one that cannot do what is asked of it, one that dies. */
export const upgradeStory: Story = { usesPackages: true, tell, whatNext };

async function tell(stage: Stage): Promise<void> {
  announce("A supervisor starts on a host that has a Collector, and may take packages from its server");
  const { version } = await awaitStart(stage);

  announce("The server pushes a configuration with an OTTL rule");
  const traffic = stage.use(await Traffic.to(await freePort()));
  await apply(stage, traffic.configuration);
  const { sent } = await traffic.during(() => awaitEffective(stage, rule));
  done(`data flows: OTLP records every 10 ms, and the first ${sent} have reached the backend`);

  await upgrade(stage, traffic, version ?? "");
  await refuse(stage, traffic);
  await takeBack(stage, traffic);
}

async function upgrade(stage: Stage, traffic: Traffic, before: string): Promise<void> {
  announce(`A newer build, ${versions.newer}, is put into the server's folder and offered`);
  const pid = stage.collectorPid();
  const noticed = await traffic.during(async () => {
    const offered = await offer(stage, versions.newer, collectorFrom("OTELCOL_SECOND"));
    done(`downloads are limited to ${downloadMiBPerSecond} MiB/s here, so that there is something to see`);
    await installs(stage, versions.newer, pid);
    const seconds = ((performance.now() - offered) / 1000).toFixed(1);
    const agent = await runs(stage, versions.newer);
    if (stage.collectorPid() === pid) throw new Error("the old process still runs");
    done(
      `INSTALLED ${seconds} s after the offer: the agent reports ${before} → ${agent.version} ` +
        `(pid ${stage.collectorPid()}), healthy`,
    );
    await awaitEffective(stage, rule);
    done("and the same configuration, the rule included");
  });
  tellNoticed("data flowed all along but for", noticed);
}

async function refuse(stage: Stage, traffic: Traffic): Promise<void> {
  announce("It offers a build that lacks the transform processor, which the configuration uses");
  const pid = stage.collectorPid();
  const { sent, refused } = await traffic.during(async () => {
    await offer(stage, versions.lacking, collectorFrom("OTELCOL_FEWER"));
    await fails(stage, versions.lacking, "with the reason in the Collector's own words");
  });
  if (stage.collectorPid() !== pid) throw new Error("the refused build cost the running Collector its life");
  if (refused > 0) throw new Error(`${refused} of ${sent} records were refused`);
  done(`that was found out before anything was stopped: pid ${pid} runs on`);
  done(`0 of ${sent} records were refused meanwhile`);
}

async function takeBack(stage: Stage, traffic: Traffic): Promise<void> {
  announce("It offers a program that passes every check and crashes when it runs");
  const script = join(stage.directory, "crashes.sh");
  const text = `#!/bin/sh
case "$1" in --config) echo "made to crash" >&2; exit 3;; esac
exec ${collectorFrom("OTELCOL_SECOND")} "$@"
`;
  await writeFile(script, text, { mode: 0o755 });
  done("this one is made up: a script that asks a real Collector, but dies when it is to run as one");
  quote(text);
  const noticed = await traffic.during(async () => {
    await offer(stage, versions.crashing, script);
    await fails(stage, versions.crashing, "with the reason and its last words");
    const { version, health } = await runs(stage, versions.newer);
    done(`taken back: ${version} runs again (pid ${stage.collectorPid()}), health "${health?.status}"`);
  });
  tellNoticed("the crash and the way back together kept data out for", noticed);
}

function tellNoticed(what: string, { sent, refused, longestGapMs }: Noticed): void {
  done(`${what} ${longestGapMs} ms, measured at a record every 10 ms:`);
  quote(`sent ${sent}, refused ${refused}, arrived at the backend ${sent - refused}`);
}

/** Puts a file into the server's folder and offers it; the moment of the offer. */
async function offer(stage: Stage, version: string, file: string): Promise<number> {
  const path = await stage.putPackage(packageName, version, file);
  const at = performance.now();
  const { offered } = await stage.offerPackage(packageName, version);
  if (offered !== 1) throw new Error(`the server offered it to ${offered} agents instead of 1`);
  done(`offered: ${path.slice(stage.directory.length + 1)}`);
  return at;
}

/** Tells how a package comes onto the host, until it is installed. */
async function installs(stage: Stage, version: string, pid: number): Promise<void> {
  let told = 0;
  let isChecked = false;
  const verdict = await stage.until(
    `a verdict on ${version}`,
    async () => {
      const status = await statusOf(stage, version);
      const percent = Math.floor(status?.download?.percent ?? 0);
      if (status?.status === "DOWNLOADING" && status.download !== undefined && percent > told) {
        told = percent;
        const speed = (status.download.bytes_per_second / 2 ** 20).toFixed(0);
        quote(`downloading  ${String(percent).padStart(3)} %  ${speed} MiB/s`);
      }
      if (status?.status === "INSTALLING" && !isChecked && lives(pid)) {
        isChecked = true;
        done(`downloaded; the new binary is checked while the old one goes on (pid ${pid})`);
      }
      return isFinal(status) ? status : undefined;
    },
    60_000,
  );
  if (verdict.status !== "INSTALLED")
    throw new Error(`expected INSTALLED, got ${verdict.status}: ${verdict.error}`);
  if (!isChecked) throw new Error("the new binary was not checked beside the old one");
}

/** Tells why a package was not installed. */
async function fails(stage: Stage, version: string, whose: string): Promise<void> {
  const verdict = await stage.until(
    `a verdict on ${version}`,
    async () => {
      const status = await statusOf(stage, version);
      return isFinal(status) ? status : undefined;
    },
    60_000,
  );
  if (verdict.status !== "INSTALL_FAILED") throw new Error(`expected INSTALL_FAILED, got ${verdict.status}`);
  if (verdict.version !== versions.newer)
    throw new Error(`the agent says that it has ${verdict.version} instead of ${versions.newer}`);
  done(`reported INSTALL_FAILED for ${version}, ${whose}:`);
  quote(verdict.error ?? "");
}

/** The agent runs this version, and is well. */
function runs(stage: Stage, version: string): Promise<AgentView> {
  return stage.until(`version ${version} runs`, async () => {
    const agent = await stage.agent();
    const holds = agent?.packages?.[packageName]?.version === version;
    return agent?.version === version && holds && agent.health?.healthy ? agent : undefined;
  });
}

/** Undefined while the agent still speaks of an earlier offer. */
async function statusOf(stage: Stage, version: string): Promise<PackageView | undefined> {
  const status = (await stage.agent())?.packages?.[packageName];
  return status?.offered_version === version ? status : undefined;
}

function isFinal(status: PackageView | undefined): boolean {
  return status?.status === "INSTALLED" || status?.status === "INSTALL_FAILED";
}

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function whatNext(stage: Stage): Promise<string> {
  const api = `${stage.managementUrl}api/v1`;
  const { id = "" } = (await stage.agent()) ?? {};
  return `  ${dim("# what became of the packages, and why")}
  curl -s ${api}/agents/${id}
  ${dim("# what can be offered")}
  curl -s ${api}/packages
  ${dim("# no package at all: back to the Collector that the host came with")}
  curl -s -d '{"packages":{}}' ${api}/packages/offer
  ${dim("# and up again")}
  curl -s -d '{"packages":{"${packageName}":"${versions.newer}"}}' ${api}/packages/offer
  ${dim("# a build of yours")}
  install -D otelcol ${stage.directory}/packages/${packageName}/1.2.3/otelcol
  curl -s -X POST ${api}/packages/rescan
  curl -s -d '{"packages":{"${packageName}":"1.2.3"}}' ${api}/packages/offer
  ${dim("# how the host sees it")}
  bin/opamp-supervisor status --config ${stage.directory}/supervisor.yaml`;
}
