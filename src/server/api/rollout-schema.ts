import * as z from "zod";

const findingSchema = z.object({
  gate: z.string(),
  level: z.enum(["ok", "warning", "critical", "no_evidence", "not_applicable"]),
  figure: z.number().optional(),
  threshold: z.number().optional(),
  sample: z.int().optional(),
  count: z.int().optional(),
  text: z.string(),
});

export const storyEntrySchema = z.object({
  at: z.string(),
  event: z.string(),
  stage: z.int().optional().describe("Counted from 0"),
  by: z.string(),
  text: z.string(),
  findings: z.array(findingSchema).describe("The figures it was decided on"),
});

export const progressSchema = z
  .object({
    members: z.int().describe("Agents of the stages begun so far"),
    released: z.int().describe("Of these, those that it applies to by now"),
    applied: z.int(),
    failed: z.int(),
    waiting: z.int().describe("Were offered it and have not answered yet"),
    unreachable: z.int().describe("Have not been reachable since; are offered it when they come back"),
  })
  .meta({ id: "RolloutProgress" });

export const rolloutSchema = z
  .object({
    id: z.string(),
    state: z.enum([
      "pending",
      "running",
      "paused",
      "rolling-back",
      "rolled-back",
      "done",
      "aborted",
      "superseded",
    ]),
    reason: z.string().nullable().describe("Why it is paused, went back or ended early"),
    phase: z.enum(["waiting", "releasing", "dwelling"]).nullable(),
    stage: z.int().nullable().describe("Of the stage under way, counted from 0"),
    changes: z.array(z.object({ kind: z.string(), hash: z.string() })),
    selector: z.string(),
    strategy: z.string(),
    stages: z.array(
      z.object({
        name: z.string(),
        selector: z.string(),
        share: z.number().nullable(),
        count: z.int().nullable(),
        dwell_seconds: z.number(),
        auto_advance: z.boolean(),
      }),
    ),
    message: z.string(),
    created_at: z.string(),
    created_by: z.string(),
    progress: progressSchema,
  })
  .meta({ id: "Rollout" });

export const rolloutDetailSchema = rolloutSchema.extend({
  findings: z.array(findingSchema).describe("What the gates say now"),
  story: z.array(storyEntrySchema),
});

export const memberSchema = z.object({
  id: z.string(),
  stage: z.int(),
  because: z.enum(["canary", "share", "replacement", "late"]),
  released_at: z.string().nullable(),
  offered_at: z.string().nullable(),
  answer: z.enum(["none", "applied", "failed"]),
  answered_at: z.string().nullable(),
  error: z.string().nullable(),
  back: z
    .enum(["back", "under-way", "away", "nothing-below", "silent", "failed"])
    .nullable()
    .describe("How far it is on its way back, where the rollout is taken back"),
});

/** A rollout to be started, of a configuration that this server has. */
export const newRolloutBody = z
  .strictObject({
    config_hash: z
      .string()
      .regex(/^(sha256-)?[0-9a-f]{64}$/i)
      .describe("HEX or sha256-HEX, of a configuration that was pushed once"),
    selector: z.string().optional(),
    strategy: z
      .union([z.string().min(1), z.record(z.string(), z.unknown())])
      .optional()
      .describe("A name, or a whole document; left out: rollouts.default_strategy"),
    message: z.string().default(""),
    reissue: z.boolean().default(false).describe("Under a new hash, so that who refused it tries it again"),
    id: z.uuid().optional().describe("Of a preview, so that the same agents come into the same stages"),
  })
  .meta({ examples: [{ config_hash: "0123456789abcdef".repeat(4), selector: "env=prod" }] });

export const previewSchema = z.object({
  id: z.string().describe("Start the rollout under it, and the stages are these"),
  stages: z.array(z.object({ name: z.string(), adds: z.array(z.string()) })),
  blocked: z.array(z.object({ id: z.string(), reason: z.string() })),
  unreachable: z.array(z.string()),
  nothing_below: z.array(z.string()).describe("Have nothing to go back to"),
});
