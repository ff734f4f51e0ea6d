import { randomUUID } from "node:crypto";
import * as z from "zod";
import { diffLines } from "../../foundation/line-diff.ts";
import { reissued } from "../configurations/configuration.ts";
import type { Configurations, Rendered } from "../configurations/configurations.ts";
import { describeProblem, TemplateError } from "../configurations/template-error.ts";
import type { Version, VersionSummary } from "../configurations/versions.ts";
import { identityOf } from "./access-control.ts";
import type { Api } from "./api.ts";
import { rawBody } from "./bodies.ts";
import { orConfigurationProblem } from "./configuration-problems.ts";
import {
  addedSchema,
  configurationPreviewSchema,
  configurationRolloutSchema,
  oneConfiguration,
  renderBody,
  rolloutBody,
  validationSchema,
  versionDetailSchema,
  versionSchema,
} from "./configuration-schema.ts";
import { addVersion, versionText, versionView } from "./configuration-view.ts";
import { ProblemError } from "./problem.ts";
import { previewView, rolloutView } from "./rollout-view.ts";
import type { RolloutsApi } from "./rollouts.ts";
import { selectorFrom } from "./selector-query.ts";

export interface ConfigurationsApi {
  configurations: Configurations;
}

const tags = ["configurations"];
const versionNumber = z.union([
  z.literal("latest").transform(() => undefined),
  z.coerce.number().int().min(1),
]);

/** Diffs are cut off there. */
const mostDiffLines = 10_000;

export function configurationRoutes(
  api: Api,
  { configurations, rollouts, strategies }: ConfigurationsApi & RolloutsApi,
): void {
  const { versions } = configurations;

  api.get(
    "/api/v1/configs",
    {
      schema: {
        tags,
        summary: "The named configurations, each by its newest version",
        response: { 200: z.object({ configs: z.array(versionSchema) }) },
      },
    },
    async () => ({ configs: (await versions.latest()).map(versionView) }),
  );

  api.get(
    "/api/v1/configs/:name/versions",
    {
      schema: {
        tags,
        summary: "The versions of a configuration, the newest first",
        params: oneConfiguration,
        response: { 200: z.object({ versions: z.array(versionSchema) }) },
      },
    },
    ({ params }) =>
      orConfigurationProblem(async () => ({
        versions: (await versions.history(params.name)).map(versionView),
      })),
  );

  api.post(
    "/api/v1/configs/:name/versions",
    {
      schema: {
        tags,
        summary: "Adds a version, unless it says the same as the newest; nobody is offered it by that",
        description:
          "The body is YAML: a Collector configuration, kept byte for byte, or a document of kind: ConfigTemplate.",
        consumes: ["application/yaml"],
        params: oneConfiguration,
        querystring: z.strictObject({ message: z.string().optional().describe("What it is for") }),
        body: rawBody,
        response: { 200: addedSchema },
      },
    },
    (request) =>
      orConfigurationProblem(() =>
        addVersion(configurations, {
          name: request.params.name,
          body: request.body,
          contentType: request.headers["content-type"],
          author: identityOf(request).name,
          message: request.query.message,
        }),
      ),
  );

  api.get(
    "/api/v1/configs/:name/versions/:version",
    {
      schema: {
        tags,
        summary: "One version with its content; latest is the newest",
        params: oneConfiguration.extend({ version: versionNumber }),
        response: { 200: versionDetailSchema },
      },
    },
    ({ params }) =>
      orConfigurationProblem(async () => detailView(await versions.get(params.name, params.version))),
  );

  api.get(
    "/api/v1/configs/:name/diff",
    {
      schema: {
        tags,
        summary: "What changed from one version to another, line by line, in the unified format",
        params: oneConfiguration,
        querystring: z.strictObject({ from: z.coerce.number().int().min(1), to: versionNumber.optional() }),
        response: {
          200: z.object({ from: z.int(), to: z.int(), diff: z.string(), truncated: z.boolean() }),
        },
      },
    },
    ({ params, query }) =>
      orConfigurationProblem(async () => {
        const from = await versions.get(params.name, query.from);
        const to = await versions.get(params.name, query.to);
        const lines = diffLines(versionText(from), versionText(to));
        const heading = [`--- ${params.name}@${from.number}`, `+++ ${params.name}@${to.number}`];
        const shown = lines.length === 0 ? [] : [...heading, ...lines.slice(0, mostDiffLines), ""];
        return {
          from: from.number,
          to: to.number,
          diff: shown.join("\n"),
          truncated: lines.length > mostDiffLines,
        };
      }),
  );

  const render = ({ name }: { name: string }, { version, values, layers }: z.infer<typeof renderBody>) =>
    [{ name, version, values }, ...layers] as const;

  api.post(
    "/api/v1/configs/:name/validate",
    {
      schema: {
        tags,
        summary: "Whether it can be made with these values, and what is wrong with what comes of it",
        params: oneConfiguration,
        body: renderBody,
        response: { 200: validationSchema },
      },
    },
    ({ params, body }) =>
      orConfigurationProblem(async () => {
        try {
          return validationView(await configurations.render(render(params, body)));
        } catch (error) {
          if (!(error instanceof TemplateError)) throw error;
          const nothing = { problems: [], warnings: [], collector: null, config_hash: null };
          return { valid: false, errors: [...error.problems], ...nothing };
        }
      }),
  );

  const wishOf = async (
    { selector, strategy, reissue, id }: z.infer<typeof rolloutBody>,
    { configuration }: Rendered,
  ) => ({
    contents: [
      {
        kind: "configuration" as const,
        desired: reissue ? reissued(configuration, randomUUID()) : configuration,
      },
    ] as const,
    selector: selectorFrom(selector),
    strategy: await strategies.get(strategy),
    ...(id === undefined ? {} : { id }),
  });

  api.post(
    "/api/v1/configs/:name/preview",
    {
      config: { role: "viewer" },
      schema: {
        tags,
        summary: "What would come of it, and who would get it in which stage",
        params: oneConfiguration,
        body: rolloutBody,
        response: { 200: configurationPreviewSchema },
      },
    },
    ({ params, body }) =>
      orConfigurationProblem(async () => {
        const rendered = await configurations.render(render(params, body), { ask: false });
        const { configuration, check, layers } = rendered;
        return {
          ...previewView(rollouts, await wishOf(body, rendered)),
          config_hash: configuration.hashHex,
          layers: [...layers],
          text: Object.values(configuration.map.configMap)
            .map((entry) => new TextDecoder().decode(entry.body))
            .join("\n"),
          problems: [...check.problems],
          warnings: [...check.warnings],
        };
      }),
  );

  api.post(
    "/api/v1/configs/:name/rollout",
    {
      schema: {
        tags: [...tags, "rollouts"],
        summary: "Starts a rollout of a version, with values for its variables and layers over it",
        params: oneConfiguration,
        body: rolloutBody,
        response: { 200: configurationRolloutSchema },
      },
    },
    (request) =>
      orConfigurationProblem(async () => {
        const { body, params } = request;
        const rendered = await configurations.render(render(params, body));
        refuseBroken(rendered, body.unchecked);
        const wish = await wishOf(body, rendered);
        const [{ desired }] = wish.contents;
        await configurations.keep(rendered, desired);
        const message = body.message === "" ? describeLayers(rendered) : body.message;
        const { rollout } = await rollouts.start({ ...wish, by: identityOf(request).name, message });
        return {
          ...rolloutView(rollouts.get(rollout.id)),
          config_hash: desired.hashHex,
          layers: [...rendered.layers],
        };
      }),
  );
}

/** @throws ProblemError */
function refuseBroken({ check, collector }: Rendered, unchecked: boolean): void {
  if (check.problems.length > 0 && !unchecked) {
    const text = check.problems.map(describeProblem).join("; ");
    throw new ProblemError(
      "bad-configuration",
      `${text}; if the hosts' own files have what is missing, say "unchecked": true`,
      { errors: check.problems.map(({ place, message }) => ({ in: "body", field: place, message })) },
    );
  }
  if (collector?.verdict !== "invalid" || unchecked) return;
  throw new ProblemError(
    "bad-configuration",
    `the Collector of validation.collector refuses it: ${collector.reason}`,
  );
}

function validationView({ configuration, check, collector }: Rendered): z.infer<typeof validationSchema> {
  return {
    valid: check.problems.length === 0 && collector?.verdict !== "invalid",
    errors: [],
    problems: [...check.problems],
    warnings: [...check.warnings],
    collector: collector === undefined ? null : { reason: "", ...collector },
    config_hash: configuration.hashHex,
  };
}

function describeLayers({ layers }: Rendered): string {
  return layers.map(({ name, version }) => `${name}@${version}`).join(" + ");
}

function detailView(version: Version): z.infer<typeof versionDetailSchema> {
  const entries = Object.entries(version.entries).map(([name, { body, contentType }]) => {
    return [name, { content_type: contentType, body: new TextDecoder().decode(body) }] as const;
  });
  const summary: VersionSummary = { ...version, isTemplate: version.variables !== undefined };
  return {
    ...versionView(summary),
    variables: version.variables ?? null,
    entries: Object.fromEntries(entries),
  };
}
