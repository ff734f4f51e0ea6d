import { describe, expect, it } from "vitest";
import type { Step } from "../../../src/supervisor/change/change.ts";
import { collectorBinary } from "../../support/collector.ts";
import {
  clearFault,
  expectRuns,
  killCollectors,
  startBefore,
  startFaulty,
} from "../../support/fault-host.ts";
import type { SendReport } from "../../support/otlp-sender.ts";
import { PackageServer, type PackageSpec } from "../../support/package-server.ts";
import {
  offerProgram,
  packageTold,
  packageVerdict,
  runningProgram,
  scriptedProgram,
  secondProgram,
  statusOf,
  takingPackages,
} from "../../support/packages.ts";
import { type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";

/** A machine that loses its power takes the Collector with it. */
const deaths = [
  { death: "killed", withCollector: false },
  { death: "cut off from power", withCollector: true },
];

describe.each(deaths)(
  "a supervisor $death while a package is installed, as soon as its journal said",
  ({ withCollector }) => {
    /** What a Collector had only in its memory is lost with the power. */
    const expectArrived = async (host: SupervisorHost, { accepted }: SendReport) => {
      if (!withCollector) await host.sink.waitFor(accepted);
    };

    const endsAt = async (step: Step, make: (host: SupervisorHost) => PackageSpec) => {
      const host = await supervisorHost(takingPackages({ agent: { probation: "300ms" } }));
      const files = await PackageServer.start();
      const supervisor = await startBefore(host, { step, signal: "SIGKILL" });
      const sender = host.send();
      await sender.accepted();
      await offerProgram({ host, files }, make(host));
      await supervisor.exited;
      if (withCollector) await killCollectors(host);
      clearFault(host);
      const from = host.server.mark;
      await startFaulty(host);
      return { host, files, sender, from };
    };

    it.each<Step>(["staging", "checking", "switching", "proving", "keeping"])(
      "%s: a good one is installed",
      async (step) => {
        const { host, files, sender, from } = await endsAt(step, secondProgram);
        expect(await packageTold(host.server, "", /^Install(ed|Failed)/, from)).toBe("Installed 2.0");
        await expectRuns(host, "before");
        expect(await runningProgram(host)).toContain("/packages/versions/_/");
        expect(files.requests).toHaveLength(1);
        await expectArrived(host, await sender.stop());
      },
    );

    it.each<Step>(["switching", "proving", "reverting"])("%s: a bad one is taken back", async (step) => {
      const bad = (host: SupervisorHost) => scriptedProgram(host, "bad", "--config) exit 3;;");
      const { host, sender, from } = await endsAt(step, bad);
      expect(await packageVerdict(host.server, "", from)).toMatch(/^InstallFailed: .*exit code 3/);
      await expectRuns(host, "before");
      expect(await runningProgram(host)).toBe(collectorBinary());
      expect(statusOf(host.server, "")?.agentHasVersion).toBe("");
      await expectArrived(host, await sender.stop());
    });
  },
);
