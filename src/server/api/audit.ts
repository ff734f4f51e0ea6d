import * as z from "zod";
import type { AuditEntry, AuditLog } from "../audit/audit-log.ts";
import type { Api } from "./api.ts";
import { isoTime } from "./iso-time.ts";

const entrySchema = z
  .object({
    number: z.int(),
    at: z.string(),
    actor: z.string(),
    by: z.string(),
    role: z.string(),
    address: z.string(),
    action: z.string(),
    target: z.string(),
    outcome: z.enum(["done", "refused"]),
    before: z.unknown().optional(),
    after: z.unknown().optional(),
    reason: z.string().nullable(),
    hash: z.string().describe("Covers this entry and the hash of the one before it"),
  })
  .meta({ id: "AuditEntry" });

export function auditRoutes(api: Api, { audit }: { audit: AuditLog }): void {
  api.get(
    "/api/v1/audit",
    {
      config: { role: "operator" },
      schema: {
        tags: ["audit"],
        summary: "Who changed what, newest first",
        querystring: z.strictObject({
          actor: z.string().optional(),
          action: z.string().optional().describe("Such as POST /api/v1/config"),
          text: z.string().optional().describe("Any part of actor, action, target or reason"),
          before: z.coerce
            .number()
            .int()
            .positive()
            .optional()
            .describe("Only entries with a smaller number"),
          limit: z.coerce.number().int().min(1).max(1000).default(100),
        }),
        response: { 200: z.object({ entries: z.array(entrySchema) }) },
      },
    },
    async ({ query }) => ({ entries: (await audit.list(query)).map(entryView) }),
  );

  api.get(
    "/api/v1/audit/verify",
    {
      config: { role: "operator" },
      schema: {
        tags: ["audit"],
        summary: "Whether every entry still fits the one before it",
        response: {
          200: z.object({
            intact: z.boolean(),
            first_broken: z.int().nullable(),
            last_hash: z.string().nullable(),
          }),
        },
      },
    },
    async () => {
      const broken = await audit.verify();
      const [last] = await audit.list({ limit: 1 });
      return { intact: broken === undefined, first_broken: broken ?? null, last_hash: last?.hash ?? null };
    },
  );
}

function entryView({ at, actor_by, before, after, ...entry }: AuditEntry): z.infer<typeof entrySchema> {
  return {
    ...entry,
    at: isoTime(at),
    by: actor_by,
    ...(before !== null && { before: JSON.parse(before) as unknown }),
    ...(after !== null && { after: JSON.parse(after) as unknown }),
  };
}
