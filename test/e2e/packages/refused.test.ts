import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { collectorBinary, fewerCollectorBinary } from "../../support/collector.ts";
import { eventually } from "../../support/eventually.ts";
import type { PackageSpec } from "../../support/package-server.ts";
import {
  editedProgram,
  expectUntouched,
  offerProgram,
  packageHost,
  packageVerdict,
  scriptedProgram,
  statusOf,
  stepsOf,
} from "../../support/packages.ts";
import type { SupervisorHost } from "../../support/supervisor-host.ts";

const emAarch64 = 183;
const pipeline = { statements: ['set(log.attributes["seen"], true)'] };

function textFile(host: SupervisorHost): PackageSpec {
  const file = join(host.dir, "notes.txt");
  writeFileSync(file, "not a program\n");
  return { file, version: "text" };
}

interface Bad {
  what: string;
  make: (host: SupervisorHost) => PackageSpec;
  reason: RegExp;
  steps?: string[];
}

const whole = ["InstallPending", "Downloading", "Installing", "InstallFailed"];

const bad: Bad[] = [
  {
    what: "lacks a component in use",
    make: () => ({ file: fewerCollectorBinary(), version: "fewer" }),
    reason: /^InstallFailed: .*Collector version 0\.149\.0.* refuses it: .*transform/,
  },
  {
    what: "is for another architecture",
    make: (host) =>
      editedProgram(host, "foreign", (bytes) => {
        bytes.writeUInt16LE(emAarch64, 18);
        return bytes;
      }),
    reason: /is built for arm64, this host is x64; offer the build for x64/,
  },
  {
    what: "was cut off before it was hashed",
    make: (host) => editedProgram(host, "cut", (bytes) => bytes.subarray(0, 1_000_000)),
    reason: /^InstallFailed: /,
  },
  { what: "is no program", make: textFile, reason: /is not a program/ },
  {
    what: "is a program, but no Collector",
    make: () => ({ file: "/bin/true", version: "true" }),
    reason: /is not an OpenTelemetry Collector/,
  },
  {
    what: "has no opamp extension",
    make: (host) =>
      scriptedProgram(
        host,
        "plain",
        `components) "$COLLECTOR" components | grep -v opamp; exit 0;;\nvalidate) exit 1;;`,
      ),
    reason: /has no opamp extension/,
  },
  {
    what: "has another content than was offered",
    make: () => ({ file: collectorBinary(), version: "other", contentHash: Buffer.alloc(32, 7) }),
    reason: /no source has the file with the offered SHA-256 0707/,
    steps: ["InstallPending", "Downloading", "InstallFailed"],
  },
];

describe("a package is refused before anything is stopped when it", () => {
  it.each(bad)("$what", async ({ make, reason, steps = whole }) => {
    const rig = await packageHost({}, pipeline);
    const { host } = rig;
    const from = host.server.mark;
    const offer = await offerProgram(rig, make(host));
    expect(await packageVerdict(host.server, "", from)).toMatch(reason);
    await expectUntouched(rig);
    expect(stepsOf(host.server, "", from)).toEqual(steps);
    // AP10 to AP13: nothing is held, and what was offered is named.
    const status = statusOf(host.server, "");
    expect(status?.agentHasVersion).toBe("");
    expect(status?.serverOfferedVersion).toBe(offer.packages[""]?.version);
    expect(Buffer.from(host.server.state?.packageStatuses?.serverProvidedAllPackagesHash ?? [])).toEqual(
      offer.allPackagesHash,
    );
    // The configuration had nothing to do with it.
    expect(host.server.state?.remoteConfigStatus?.errorMessage).toBe("");
    // Nothing of it stays but what a second try would have to download again.
    const sets = join(host.stateDir, "packages", "sets");
    await eventually("tidied up", () => readdirSync(sets).join() === "empty");
  });
});
