import * as z from "zod";
import { figuresSchema } from "../../opamp/figures.ts";

const hash = z.string().describe("Hexadecimal");
/** Its pattern would be longer than all the rest. */
const time = z.string().meta({ format: "date-time" });

const healthSummary = z.object({
  healthy: z.boolean(),
  status: z.string(),
  last_error: z.string().optional(),
  start_time: time.optional(),
  status_time: time.optional(),
});

const health = healthSummary
  .extend({
    get components() {
      return z.record(z.string(), health).optional();
    },
  })
  .meta({ id: "Health" });

export type HealthView = z.infer<typeof health>;

const packageSummary = z.object({ version: z.string().optional(), status: z.string() });

const packageDetail = packageSummary.extend({
  offered_version: z.string().optional(),
  error: z.string().optional(),
  download: z.object({ percent: z.number(), bytes_per_second: z.number() }).optional(),
});

/** An Agent in a list: everything but what can be large. */
export const agentSummarySchema = z
  .object({
    id: z.string().describe("Instance UID"),
    connected: z.boolean(),
    condition: z
      .enum(["healthy", "unhealthy", "unknown", "stale", "gone"])
      .describe("stale: connected, but not heard for long; unknown: says nothing of its health"),
    transport: z.enum(["websocket", "http"]),
    remote_addr: z.string(),
    version: z.string().nullable().describe("Its service.version"),
    labels: z.record(z.string(), z.string()),
    capabilities: z.array(z.string()),
    health: healthSummary.nullable(),
    config_hash: hash.nullable().describe("The configuration that really runs"),
    remote_config_status: z
      .object({ status: z.string(), hash, error: z.string().optional() })
      .nullable()
      .describe("What it said of the last one it was offered, also of one that it refused"),
    desired_config_hash: hash.nullable(),
    packages: z.record(z.string(), packageSummary).nullable(),
    packages_hash: hash.nullable(),
    desired_packages_hash: hash.nullable(),
    connection_settings_status: z
      .object({ status: z.string(), hash, error: z.string().optional() })
      .nullable()
      .describe("What it said of the last connection settings it was offered"),
    desired_connections_hash: hash.nullable(),
    first_seen: time,
    last_seen: time,
    sequence: z.int(),
  })
  .meta({ id: "AgentSummary" });

const components = z
  .record(
    z.string(),
    z.lazy((): z.ZodType<ComponentsView> => components),
  )
  .meta({ id: "Components" });

export interface ComponentsView {
  [name: string]: ComponentsView;
}

/** An Agent by itself: the summary, and the parts that can be large. */
export const agentDetailSchema = agentSummarySchema
  .extend({
    health: health.nullable(),
    effective_config: z.record(z.string(), z.string()).nullable().describe("Text of each entry"),
    packages: z.record(z.string(), packageDetail).nullable(),
    packages_error: z.string().optional(),
    components: components.describe("Available components by kind"),
    figures: z
      .nullable(figuresSchema)
      .describe("What a supervisor of ours said last of what runs and how it fares; times in milliseconds"),
    custom_capabilities: z.array(z.string()),
  })
  .meta({ id: "Agent" });

/** One offer to an Agent, and what it answered. */
export const offerSchema = z
  .object({
    number: z.int().describe("Counts the offers of this agent"),
    kind: z.string().describe("configuration or packages"),
    hash,
    offered_at: time,
    answer: z.string().nullable().describe("As the agent said it last, for example APPLIED or FAILED"),
    answered_at: time.nullable(),
    error: z.string().nullable(),
  })
  .meta({ id: "Offer" });
