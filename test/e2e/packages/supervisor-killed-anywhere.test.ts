import { describe, expect, it } from "vitest";
import { collectorBinary, secondCollectorBinary } from "../../support/collector.ts";
import { eventually } from "../../support/eventually.ts";
import {
  clearFault,
  expectRuns,
  isOnProbation,
  killCollectors,
  startBefore,
  startFaulty,
} from "../../support/fault-host.ts";
import { PackageServer } from "../../support/package-server.ts";
import {
  pushPackages,
  runningProgram,
  scriptedProgram,
  storyOf,
  takingPackages,
} from "../../support/packages.ts";
import { supervisorHost } from "../../support/supervisor-host.ts";

interface Enumeration {
  script: string;
  probation?: string;
  /** The first steps are the same whatever comes of it; not all of them are taken each time, to spare time. */
  every?: number;
  /** What the server is told at last, and which program runs then. */
  verdict: RegExp;
  program: () => string;
}

/**
 * Offers a package to one host after the other, as a server does that offers what is not known to the agent. Each
 * supervisor dies one file later than the one before, counted from when it wrote the offer down; every other time the
 * whole machine loses its power. Resolves to the files of an installation that was let finish.
 */
async function dieLaterAndLater({
  script,
  probation = "200ms",
  every = 1,
  verdict,
  program,
}: Enumeration): Promise<number> {
  for (let write = 1, turn = 0; ; write += every, turn += 1) {
    const host = await supervisorHost(takingPackages({ agent: { probation } }));
    const files = await PackageServer.start();
    const fault = { write, since: "last_recv_packages.dat", signal: "SIGKILL" } as const;
    const supervisor = await startBefore(host, fault);
    const offer = await files.offer({ "": scriptedProgram(host, "package", script) });
    const sender = host.send();
    await sender.accepted();
    host.server.answer = ({ message: { packageStatuses } }) => {
      const hash = packageStatuses?.serverProvidedAllPackagesHash;
      if (hash === undefined || Buffer.compare(hash, offer.allPackagesHash) === 0) return {};
      return { packagesAvailable: offer };
    };
    pushPackages(host, offer);
    const isTold = () => verdict.test(storyOf(host.server, "").at(-1) ?? "");
    const settled = eventually(
      "all is settled",
      async () =>
        isTold() && (await host.readState("journal.json")) === "null\n" && !(await isOnProbation(host)),
      20_000,
    );
    await Promise.race([settled, supervisor.exited]);
    settled.catch(() => undefined);
    clearFault(host);
    const { signal } = await supervisor.kill("SIGTERM");
    if (signal === null) return write - 1;
    if (turn % 2 === 1) await killCollectors(host);
    try {
      const next = await startFaulty(host);
      await next.waitFor("started");
      await host.server.until("the verdict", isTold);
      await expectRuns(host, "before");
      await eventually("the program", async () => (await runningProgram(host)) === program());
      await eventually(
        "nothing is left to do",
        async () => (await host.readState("journal.json")) === "null\n",
      );
    } catch (cause) {
      const story = storyOf(host.server, "").join(" → ");
      throw new Error(
        `killed after file ${write}: ${story}: ${String(cause)}\n${JSON.stringify(host.logLines)}`,
        {
          cause,
        },
      );
    }
    await sender.stop();
    await host.group.stop();
  }
}

describe("a supervisor killed after each file that it replaces, every other time with its Collector", () => {
  it("installs a good package in the end", { timeout: 180_000 }, async () => {
    const files = await dieLaterAndLater({
      script: "never) ;;",
      verdict: /^Installed package/,
      program: secondCollectorBinary,
    });
    expect(files).toBeGreaterThan(8);
  });

  it("takes back a bad package in the end", { timeout: 180_000 }, async () => {
    const files = await dieLaterAndLater({
      script: "--config) exit 3;;",
      every: 3,
      verdict: /^InstallFailed: .*(exit code 3|supervisor ended)/,
      program: collectorBinary,
    });
    expect(files).toBeGreaterThan(8);
  });

  it("takes back one that ends on its probation in the end", { timeout: 180_000 }, async () => {
    const files = await dieLaterAndLater({
      // Of SIGABRT a program of Go ends with 2, as of any other crash of its own.
      script: '--config) (sleep 0.3; kill -ABRT $$) & exec "$COLLECTOR" "$@";;',
      probation: "2s",
      every: 4,
      verdict: /^InstallFailed: /,
      program: collectorBinary,
    });
    expect(files).toBeGreaterThan(8);
  });
});
