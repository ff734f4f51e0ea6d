import { randomUUID } from "node:crypto";
import * as z from "zod";
import { type Configuration, reissued } from "../configurations/configuration.ts";
import { configMapType, configurationFromEntries, isConfigMap } from "../configurations/entries-body.ts";
import {
  type BodyOptions,
  ConfigurationBodyError,
  configurationFromBody,
} from "../configurations/yaml-body.ts";
import { identityOf } from "./access-control.ts";
import type { Api } from "./api.ts";
import { rawBody } from "./bodies.ts";
import { type PackagesApi, packageSet, packagesPushSchema, pushView } from "./packages.ts";
import { ProblemError } from "./problem.ts";
import { pushedTo, pushedView, rolloutOf, startedRollout, strategyParameter } from "./push-schema.ts";
import { orProblem } from "./rollout-problems.ts";
import type { RolloutsApi } from "./rollouts.ts";
import { selectorFrom, selectorParameter } from "./selector-query.ts";

const configPushSchema = z.object({
  config_hash: z.string(),
  selector: z.string(),
  matched: z.int(),
  ...pushedTo,
  ...startedRollout,
});

export function configRoutes(api: Api, { catalogue, rollouts, strategies }: PackagesApi & RolloutsApi): void {
  api.post(
    "/api/v1/config",
    {
      schema: {
        tags: ["configurations"],
        summary: "Makes the body, YAML or a map of entries, the desired configuration of the selector",
        description: `The body is YAML under any content type; under ${configMapType} it is JSON such as {"entries": {"NAME": {"content_type": "text/yaml", "body": "..."}}}, entry by entry as it is offered, a signature among them.`,
        consumes: ["application/yaml", configMapType],
        querystring: z.strictObject({
          selector: selectorParameter,
          strategy: strategyParameter,
          message: z.string().optional().describe("What it is for; kept in the rollout's story"),
          reissue: z
            .enum(["true", "false"])
            .optional()
            .describe("true: under a new hash, so that agents which refused this very content try it again"),
          empty: z
            .enum(["true", "false"])
            .optional()
            .describe("true, with an empty body: no configuration at all, which stops the Collector"),
          packages: z
            .string()
            .optional()
            .describe(
              "name:version,...: makes these the desired packages; an agent gets both in one message",
            ),
        }),
        body: rawBody,
        response: { 200: configPushSchema.extend({ packages_offer: packagesPushSchema.optional() }) },
      },
    },
    async (request) => {
      const { query, body, headers } = request;
      const selector = selectorFrom(query.selector);
      const contentType = headers["content-type"];
      const written = parseConfigurationBody(body, { empty: query.empty === "true", contentType });
      const configuration = query.reissue === "true" ? reissued(written, randomUUID()) : written;
      const set =
        query.packages === undefined ? undefined : await packageSet(catalogue, parsePackages(query.packages));
      const started = await orProblem(async () =>
        rollouts.start({
          contents: [
            { kind: "configuration", desired: configuration },
            ...(set === undefined ? [] : [{ kind: "packages" as const, desired: set }]),
          ],
          selector,
          strategy: await strategies.get(query.strategy),
          by: identityOf(request).name,
          message: query.message ?? "",
        }),
      );
      return {
        config_hash: configuration.hashHex,
        selector: selector.text,
        matched: started.matched,
        ...pushedView(started.offers.get("configuration")),
        ...rolloutOf(started),
        ...(set === undefined ? {} : { packages_offer: pushView(set, started) }),
      };
    },
  );
}

/** @throws ProblemError 400 for what cannot be a configuration */
export function parseConfigurationBody(body: Uint8Array, options: BodyOptions): Configuration {
  try {
    return isConfigMap(options.contentType)
      ? configurationFromEntries(body, options)
      : configurationFromBody(body, options);
  } catch (error) {
    if (error instanceof ConfigurationBodyError) throw new ProblemError("bad-configuration", error.message);
    throw error;
  }
}

function parsePackages(text: string): Record<string, string> {
  const pairs = text.split(",").map((pair) => {
    const [, name, version] = /^\s*([^:\s]+):([^:\s]+)\s*$/.exec(pair) ?? [];
    if (name !== undefined && version !== undefined) return [name, version] as const;
    const problem = `packages must be name:version,name:version, not ${JSON.stringify(text)}`;
    throw new ProblemError("bad-query-parameter", problem);
  });
  const names = new Set(pairs.map(([name]) => name));
  if (names.size < pairs.length) {
    throw new ProblemError("bad-query-parameter", "packages names a package more than once");
  }
  return Object.fromEntries(pairs);
}
