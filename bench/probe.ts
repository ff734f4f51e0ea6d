import { setTimeout as delay } from "node:timers/promises";
import { monotonicMs } from "../test/interop/line-program.ts";
import { sendOtlp } from "../test/interop/otlp.ts";

/** What a sender of telemetry noticed. */
export interface ProbeResult {
  refused: number;
  /** Longest time without an answer, in milliseconds: between two, or after the last. */
  longestGapMs: number;
}

const intervalMs = 5;
const leadMs = 200;
const tailMs = 300;

/** Sends every five milliseconds before, while and after `action` runs. */
export async function probeDuring(port: number, action: () => Promise<unknown>): Promise<ProbeResult> {
  const answers: number[] = [];
  const pending = new Set<Promise<void>>();
  let refused = 0;
  const timer = setInterval(() => {
    const probe = sendOtlp(port).then((accepted) => {
      if (accepted) answers.push(monotonicMs());
      else refused += 1;
      pending.delete(probe);
    });
    pending.add(probe);
  }, intervalMs);
  try {
    await delay(leadMs);
    await action();
    await delay(tailMs);
  } finally {
    clearInterval(timer);
  }
  await Promise.all(pending);
  answers.push(monotonicMs());
  const gaps = answers.slice(1).map((at, index) => at - (answers[index] ?? at));
  return { refused, longestGapMs: Math.max(0, ...gaps) };
}
