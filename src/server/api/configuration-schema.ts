import * as z from "zod";
import { configurationName } from "../configurations/config-template.ts";
import { valuesSchema } from "../configurations/variables.ts";
import { previewSchema, rolloutSchema } from "./rollout-schema.ts";

export const oneConfiguration = z.object({ name: configurationName });

const problems = z.array(z.object({ place: z.string(), message: z.string() }));

export const versionSchema = z
  .object({
    name: z.string(),
    version: z.int(),
    digest: z.string().describe("Of the content, in hexadecimal"),
    author: z.string(),
    message: z.string(),
    created_at: z.string().meta({ format: "date-time" }),
    template: z.boolean().describe("It has variables"),
  })
  .meta({ id: "ConfigurationVersion" });

export const versionDetailSchema = versionSchema.extend({
  variables: z.record(z.string(), z.unknown()).nullable(),
  entries: z.record(z.string(), z.object({ content_type: z.string(), body: z.string() })),
});

/** What can be said of a configuration before anybody has it. */
const checkSchema = z.object({
  problems: problems.describe("Named in service and not there"),
  warnings: problems.describe("There and named nowhere"),
});

export const addedSchema = versionSchema.extend({
  status: z.enum(["created", "unchanged"]),
  ...checkSchema.shape,
});

const layer = z.strictObject({
  name: configurationName,
  version: z.int().min(1).optional().describe("Left out: the newest"),
  values: valuesSchema
    .default({})
    .describe("For its variables; for a secret, the name of one of server.yaml"),
});

/** What is to be made of a configuration. */
export const renderBody = z
  .strictObject({
    version: layer.shape.version,
    values: layer.shape.values,
    layers: z
      .array(layer)
      .default([])
      .describe("Laid over it one after the other: maps merge, all else replaces"),
  })
  .meta({ examples: [{ values: { rate: 0.5 }, layers: [{ name: "gateways" }] }] });

export const validationSchema = checkSchema.extend({
  valid: z.boolean(),
  errors: problems.describe("What keeps it from being made at all"),
  collector: z
    .object({ verdict: z.enum(["valid", "invalid", "undecided"]), reason: z.string() })
    .nullable()
    .describe("What the Collector of validation.collector says; null: it was not asked"),
  config_hash: z.string().nullable(),
});

export const rolloutBody = renderBody.safeExtend({
  selector: z.string().optional().describe("The agents meant; left out: all"),
  strategy: z.string().min(1).optional().describe("Left out: rollouts.default_strategy"),
  message: z.string().default(""),
  reissue: z.boolean().default(false).describe("Under a new hash, so that who refused it tries it again"),
  unchecked: z
    .boolean()
    .default(false)
    .describe("Though service names what is not there: the hosts' own files have it"),
  id: z.uuid().optional().describe("Of a preview, so that the same agents come into the same stages"),
});

const layersSchema = z.array(
  z.object({ name: z.string(), version: z.int(), values: z.record(z.string(), z.unknown()) }),
);

export const configurationPreviewSchema = previewSchema.extend({
  config_hash: z.string(),
  layers: layersSchema,
  text: z.string().describe("Secrets stand in it by name"),
  ...checkSchema.shape,
});

export const configurationRolloutSchema = rolloutSchema.extend({
  config_hash: z.string(),
  layers: layersSchema,
});
