import * as z from "zod";
import { fleetQuestions } from "../offers/fleet-questions.ts";
import { selectorParameter } from "./selector-query.ts";

const counts = z.object({
  agents: z.int(),
  ...(Object.fromEntries(fleetQuestions.map((question) => [question, z.int()])) as Record<
    (typeof fleetQuestions)[number],
    z.ZodInt
  >),
});

/** A fleet in figures. */
export const overviewSchema = z
  .object({
    counts: counts.describe(
      "healthy and unhealthy: of the connected ones, as they say; drifting: does not run what it is to have; " +
        "failed: could not use the last thing it was offered",
    ),
    versions: z
      .array(z.object({ version: z.string().nullable(), agents: z.int() }))
      .describe("Most used first"),
    configurations: z
      .array(z.object({ config_hash: z.string().nullable(), agents: z.int(), drifting: z.int() }))
      .describe("What really runs, most used first; null: none of this server's"),
  })
  .meta({ id: "Overview" });

/** What both narrow a fleet down by. */
export const overviewParameters = {
  selector: selectorParameter,
};

const rowSortings = ["name", "version", "config_hash", "state", "last_seen"] as const;

export const rowParameters = {
  ...overviewParameters,
  is: z
    .enum(fleetQuestions)
    .optional()
    .describe("Only those that GET /api/v1/overview counts under this name"),
  version: z.string().optional().describe("Only those of this service.version; empty: of none"),
  config_hash: z.string().optional().describe("Only those that run this configuration; empty: none"),
  sort: z.enum(rowSortings).default("name"),
  order: z.enum(["ascending", "descending"]).default("ascending"),
  offset: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(500).default(100),
};

/** An Agent as a line of a table. */
export const rowSchema = z
  .object({
    id: z.string(),
    name: z
      .string()
      .describe("host.name, else service.instance.id, else service.name, else its instance UID"),
    connected: z.boolean(),
    healthy: z.boolean().nullable(),
    status: z.string().describe("What it says of its health, and its last error"),
    version: z.string().nullable(),
    config_hash: z.string().nullable(),
    desired_config_hash: z.string().nullable(),
    config_status: z.string().nullable(),
    drifting: z.boolean(),
    failed: z.boolean(),
    labels: z.record(z.string(), z.string()),
    last_seen: z.string(),
  })
  .meta({ id: "AgentRow" });

export const rowsSchema = z.object({
  total: z.int().describe("How many there are before and after this window, too"),
  rows: z.array(rowSchema),
});
