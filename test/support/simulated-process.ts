import type { CollectorProcess } from "../../src/supervisor/collector/process.ts";
import type { SimulatedCollector } from "./simulated-collectors.ts";
import type { Life } from "./simulated-life.ts";

/** How long after its end an adopted process is found to be gone. */
const adoptedPollMs = 500;

/** A Collector as one life of the supervisor holds it: `process.ts` without a kernel. */
export function holdCollector(
  collector: SimulatedCollector,
  { life, adopted }: { life: Life; adopted: boolean },
): CollectorProcess {
  const startedAt = life.clock.monotonic();
  const { promise: exited, resolve } = Promise.withResolvers<Awaited<CollectorProcess["exited"]>>();
  let requested = false;
  let released = false;
  const notice = () => {
    if (life.over || released) return;
    const { code, signal } = collector.end ?? { code: null, signal: null };
    resolve({
      pid: collector.pid,
      code: adopted ? null : code,
      signal: adopted ? null : signal,
      known: !adopted,
      requested,
      uptimeMs: life.clock.monotonic() - startedAt,
      oomKilled: false,
    });
  };
  const noticeSoon = () => life.clock.setTimer(adopted && !requested ? adoptedPollMs : 1, notice);
  if (collector.alive) collector.onEnd(noticeSoon);
  else noticeSoon();
  return {
    pid: collector.pid,
    identity: { pid: collector.pid, startTime: `start ${collector.pid}` },
    adopted,
    exited,
    isWrapper: () => false,
    signal: (signal) => !life.over && collector.signal(signal),
    async stop({ graceMs }) {
      if (!collector.alive) return exited;
      requested = true;
      await life.perform(() => collector.signal("SIGTERM"), 0);
      const kill = life.clock.setTimer(graceMs, () => collector.signal("SIGKILL"));
      const exit = await exited;
      kill.cancel();
      return exit;
    },
    kill() {
      if (!life.over) collector.signal("SIGKILL");
    },
    checkAlive() {
      if (!collector.alive && adopted) notice();
      return collector.alive;
    },
    release() {
      released = true;
    },
  };
}
