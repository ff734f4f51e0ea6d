import * as z from "zod";
import type { Clock } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import type { QueryResult } from "./gates/evidence.ts";

export interface PrometheusOptions {
  /** Undefined: no Prometheus is set, and every query is without evidence. */
  url: string | undefined;
  fetch: typeof fetch;
  clock: Clock;
  timeoutMs: number;
}

const sample = z.tuple([z.number(), z.string()]);
const answerSchema = z.union([
  z.object({
    status: z.literal("success"),
    data: z.discriminatedUnion("resultType", [
      z.object({ resultType: z.literal("vector"), result: z.array(z.object({ value: sample })) }),
      z.object({ resultType: z.literal("scalar"), result: sample }),
    ]),
  }),
  z.object({ status: z.literal("error"), error: z.string() }),
]);

/** Asks a Prometheus server (HTTP API v1, instant queries). What goes wrong is a result as well. */
export class Prometheus {
  readonly #options: PrometheusOptions;

  constructor(options: PrometheusOptions) {
    this.#options = options;
  }

  /** The one number that a PromQL expression comes to now. */
  async ask(query: string): Promise<QueryResult> {
    const { url, fetch, clock, timeoutMs } = this.#options;
    if (url === undefined) return failed("no Prometheus is set: set rollouts.prometheus_url");
    try {
      const response = await fetch(new URL("api/v1/query", url.endsWith("/") ? url : `${url}/`), {
        method: "POST",
        body: new URLSearchParams({ query }),
        signal: AbortSignal.timeout(timeoutMs),
      });
      const parsed = answerSchema.safeParse(await response.json());
      if (!parsed.success) return failed(`HTTP ${response.status} without a number for an answer`);
      if (parsed.data.status === "error") return failed(parsed.data.error);
      return numberIn(parsed.data.data, clock.now());
    } catch (error) {
      return failed(describeError(error));
    }
  }
}

type QueryData = Extract<z.infer<typeof answerSchema>, { status: "success" }>["data"];

function numberIn(data: QueryData, at: number): QueryResult {
  const samples = data.resultType === "scalar" ? [data.result] : data.result.map(({ value }) => value);
  const [only] = samples;
  if (only === undefined) return failed("the query has no result");
  if (samples.length > 1) {
    return failed(`the query has ${samples.length} results: make it one, for example by sum() or max()`);
  }
  const value = Number(only[1]);
  return Number.isFinite(value) ? { t: "value", value, at } : failed(`the result is ${only[1]}`);
}

function failed(reason: string): QueryResult {
  return { t: "failed", reason };
}
