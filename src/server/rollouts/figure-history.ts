import type { Figures } from "../../opamp/figures.ts";
import type { Agent } from "../fleet/agent.ts";
import type { Portion, Rates } from "./gates/rates.ts";

/** The counters of one message of figures that rates are made of. */
interface Sample {
  /** Unix milliseconds by this server's clock, and by the host's. */
  readonly heardAt: number;
  readonly at: number;
  readonly process: string;
  readonly supervisor: string;
  readonly cpuSeconds: number | undefined;
  readonly rssBytes: number | undefined;
  readonly errorLogs: number;
  readonly sends: Portion;
  readonly receives: Portion;
  readonly requests: number;
  readonly requestSeconds: number;
}

/** Rates look back no further than this, in milliseconds. */
const windowMs = 5 * 60_000;
const samplesKept = 12;

/** The last figures of every Agent that tells any, to make rates of. In memory only: it fills again by itself. */
export class FigureHistory {
  readonly #histories = new Map<string, { last: Figures; samples: readonly Sample[] }>();

  /** Takes over what is new. `now` is in Unix milliseconds. */
  note({ id, figures }: Pick<Agent, "id" | "figures">, now: number): void {
    if (figures === undefined) return;
    const known = this.#histories.get(id);
    if (known?.last === figures) return;
    const sample = sampleOf(figures, now);
    const samples = (known?.samples ?? []).filter(
      (each) =>
        each.process === sample.process &&
        each.supervisor === sample.supervisor &&
        now - each.heardAt <= windowMs &&
        isBefore(each, sample),
    );
    this.#histories.set(id, { last: figures, samples: thinned([...samples, sample]) });
  }

  /** How the Collector fared from `since` (Unix milliseconds) until now; undefined until there are two messages. */
  rates(id: string, since = 0): Rates | undefined {
    const samples = this.#histories.get(id)?.samples.filter(({ heardAt }) => heardAt >= since) ?? [];
    const [first] = samples;
    const last = samples.at(-1);
    return first === undefined || last === undefined || first === last ? undefined : between(first, last);
  }

  forget(id: string): void {
    this.#histories.delete(id);
  }
}

/** Counters that have gone back were begun anew, by a reload. */
function isBefore(a: Sample, b: Sample): boolean {
  return (
    a.at < b.at &&
    a.errorLogs <= b.errorLogs &&
    a.sends.all <= b.sends.all &&
    a.sends.bad <= b.sends.bad &&
    a.receives.all <= b.receives.all &&
    a.requests <= b.requests
  );
}

/** Keeps the first, which rates are made against, and the newest. */
function thinned(samples: readonly Sample[]): readonly Sample[] {
  return samples.length <= samplesKept ? samples : samples.filter((_, index) => index !== 1);
}

function sampleOf(figures: Figures, heardAt: number): Sample {
  const { traces, metrics, logs, send_duration } = figures.telemetry ?? {};
  const signals = [traces, metrics, logs].flatMap((each) => each ?? []);
  const sum = (of: (signal: (typeof signals)[number]) => number | undefined) =>
    signals.reduce((total, signal) => total + (of(signal) ?? 0), 0);
  const lost = sum((each) => each.send_failed) + sum((each) => each.enqueue_failed);
  const refused = sum((each) => each.refused);
  return {
    heardAt,
    at: figures.at,
    process: figures.process?.id ?? "",
    supervisor: figures.since_supervisor.id,
    cpuSeconds: figures.process?.cpu_seconds,
    rssBytes: figures.process?.rss_bytes,
    errorLogs: figures.since_supervisor.error_logs,
    sends: { bad: lost, all: lost + sum((each) => each.sent) },
    receives: { bad: refused, all: refused + sum((each) => each.accepted) },
    requests: send_duration?.count ?? 0,
    requestSeconds: send_duration?.seconds ?? 0,
  };
}

function between(first: Sample, last: Sample): Rates {
  const seconds = (last.at - first.at) / 1000;
  const requests = last.requests - first.requests;
  const cpu =
    first.cpuSeconds === undefined || last.cpuSeconds === undefined
      ? undefined
      : (last.cpuSeconds - first.cpuSeconds) / seconds;
  return {
    cpu,
    memory: last.rssBytes,
    error_logs: ((last.errorLogs - first.errorLogs) / seconds) * 60,
    latency: requests > 0 ? ((last.requestSeconds - first.requestSeconds) / requests) * 1000 : undefined,
    send_failures: portionBetween(first.sends, last.sends),
    refused: portionBetween(first.receives, last.receives),
  };
}

function portionBetween(first: Portion, last: Portion): Portion | undefined {
  const all = last.all - first.all;
  return all > 0 ? { bad: last.bad - first.bad, all } : undefined;
}
