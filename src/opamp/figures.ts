import * as z from "zod/mini";
import type { CustomMessage } from "./messages.ts";

/**
 * Names the custom capability, and is the `capability` of its messages (docs/rollout-figures.md). `.internal` is
 * reserved for names that nobody owns; the number is raised when a reader of the old format could go wrong.
 */
export const figuresCapability = "internal.opamp-supervisor.figures/1";

/** The one `type` of its custom messages. */
export const figuresType = "figures";

/** A message larger than this is none of ours. In bytes. */
const maxFiguresBytes = 64 * 1024;

const count = z.number().check(z.nonnegative());
const hash = z.string().check(z.regex(/^[0-9a-f]*$/));
const milliseconds = z.number().check(z.nonnegative());

/** Items since the process started: spans, metric points or log records. What is not exposed is not there. */
const signalSchema = z.object({
  accepted: z.optional(count),
  /** By receivers: the sender was told that they were not taken. */
  refused: z.optional(count),
  sent: z.optional(count),
  /** By exporters, for good: these are lost. */
  send_failed: z.optional(count),
  /** Did not fit into an exporter's queue: these are lost. */
  enqueue_failed: z.optional(count),
});

const telemetrySchema = z.object({
  traces: z.optional(signalSchema),
  metrics: z.optional(signalSchema),
  logs: z.optional(signalSchema),
  /** Batches that wait in the queues of all exporters, and how many fit. */
  queue: z.optional(z.object({ size: count, capacity: count })),
  /** Requests of exporters that were answered since the process started, and how long they took together. */
  send_duration: z.optional(z.object({ count, seconds: count })),
  /** Goroutines at this moment. */
  goroutines: z.optional(count),
});

/** What runs at this moment. */
const configurationSchema = z.object({
  /** `config_hash` of the remote configuration in what runs; null where none is in it, or nothing runs. */
  remote_hash: z.nullable(hash),
  /** SHA-256 of the whole merged configuration; null where nothing runs. */
  content_hash: z.nullable(hash),
  /**
   * `desired`: what was asked for last; `last-known-good`: gone back to; `fallback`: the host's own emergency
   * configuration; `bootstrap`: the empty one of a host that never had another; `stopped`: nothing runs.
   */
  role: z.enum(["desired", "last-known-good", "fallback", "bootstrap", "stopped"]),
  /** Was applied less than `agent.probation` ago. */
  on_probation: z.boolean(),
  /** The newest remote configuration that was refused or gone back from, until another one is applied. */
  refused: z.nullable(z.object({ hash, reason: z.string() })),
  /** Every `config_hash` that does not run here again by itself, newest first. */
  quarantined: z.array(z.object({ hash, at: milliseconds })),
});

/** The Collector's process. */
const processSchema = z.object({
  /** Changes with every process: counters of two names are not to be compared. */
  id: z.string(),
  /** Unix time in milliseconds. */
  started_at: milliseconds,
  cpu_seconds: z.optional(count),
  rss_bytes: z.optional(count),
});

/**
 * What staged rollouts judge by. Times are Unix times in milliseconds; what is not known is not there, never 0.
 * A reader ignores keys that it does not know.
 */
export const figuresSchema = z.object({
  /** When these were taken. */
  at: milliseconds,
  configuration: configurationSchema,
  /** Not there while no Collector runs. */
  process: z.optional(processSchema),
  /** Counted by this supervisor since it started. */
  since_supervisor: z.object({
    /** Changes with every supervisor process. */
    id: z.string(),
    started_at: milliseconds,
    /** Starts of a Collector in another's place, by reason (`exit`, `oom`, `signal`, `hung`, `command`, `change`). */
    restarts: z.record(z.string(), count),
    /** Lines of level error or above in the Collector's log. */
    error_logs: count,
  }),
  /** The Collector's own metrics; not there where it exposes none on this host. */
  telemetry: z.optional(telemetrySchema),
});

export type Figures = z.infer<typeof figuresSchema>;
export type SignalFigures = z.infer<typeof signalSchema>;
export type TelemetryFigures = z.infer<typeof telemetrySchema>;

/** The payload of a message. */
export function encodeFigures(figures: Figures): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(figures));
}

/** The figures of a custom message of this capability; undefined where it holds none that can be read. */
export function decodeFigures({ type, data }: Pick<CustomMessage, "type" | "data">): Figures | undefined {
  if (type !== figuresType || data.length > maxFiguresBytes) return undefined;
  try {
    const result = figuresSchema.safeParse(
      JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(data)),
    );
    return result.success ? result.data : undefined;
  } catch {
    return undefined;
  }
}
