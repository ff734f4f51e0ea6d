import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Host } from "../../test/interop/host.ts";
import { monotonicMs } from "../../test/interop/line-program.ts";
import { firstOtlpAnswer } from "../../test/interop/otlp.ts";
import type { Measurement } from "../measurement.ts";

const windowMs = 20_000;
/** Longer than the probation at default settings: what follows is a crash loop and no failed change. */
const steadyMs = 32_000;

/** A configuration that worked for long and from now on dies at every start: a file that it includes went bad. */
export const crashLoop: Measurement = {
  name: "crash-loop",
  subjects: new Set(["ours", "reference"]),
  rows: [
    { id: "crash-loop.failed", title: "crash loop: first death → FAILED", unit: "ms" },
    { id: "crash-loop.answered", title: "crash loop: first death → data answered again", unit: "ms" },
  ],
  async run(subject) {
    const directory = await mkdtemp(join(tmpdir(), "opamp-bench-"));
    const included = join(directory, "level");
    try {
      await writeFile(included, "basic");
      await using host = await Host.running(subject);
      const configuration = {
        ...host.configuration(1),
        exporters: { nop: {}, debug: { verbosity: `$\{file:${included}}` } },
        service: {
          pipelines: { traces: { receivers: ["otlp"], processors: ["batch"], exporters: ["nop", "debug"] } },
        },
      };
      const { hash } = await host.pushConfiguration(configuration);
      await host.server.status("APPLIED", hash);
      await delay(steadyMs);
      await writeFile(included, "nosuch");
      const from = host.server.mark();
      const died = monotonicMs();
      for (const pid of host.collectorPids()) process.kill(pid, "SIGKILL");
      const failed = host.server.status("FAILED", hash, { from, timeoutMs: windowMs }).then(
        ({ at }) => at - died,
        () => Number.POSITIVE_INFINITY,
      );
      // A process may still answer in the moment before the signal takes it.
      await delay(20);
      const answered = firstOtlpAnswer(host.otlpPort, windowMs).then(
        (at) => at - died,
        () => Number.POSITIVE_INFINITY,
      );
      return { "crash-loop.failed": [await failed], "crash-loop.answered": [await answered] };
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  },
};
