import * as z from "zod";
import type { Configuration } from "../configurations/configuration.ts";
import {
  type BodyOptions,
  ConfigurationBodyError,
  configurationFromBody,
} from "../configurations/yaml-body.ts";
import type { PushResult } from "../offers/offering.ts";
import type { Api } from "./api.ts";
import { rawBody } from "./bodies.ts";
import { type PackagesApi, packageSet, packagesPushSchema, pushView } from "./packages.ts";
import { ProblemError } from "./problem.ts";
import { pushedTo } from "./push-schema.ts";
import { selectorFrom, selectorParameter } from "./selector-query.ts";

const configPushSchema = z.object({
  config_hash: z.string(),
  selector: z.string(),
  matched: z.int(),
  ...pushedTo,
});

export function configRoutes(api: Api, { offering, catalogue }: PackagesApi): void {
  api.post(
    "/api/v1/config",
    {
      schema: {
        tags: ["configurations"],
        summary: "Makes the body, YAML under any content type, the desired configuration of the selector",
        consumes: ["application/yaml"],
        querystring: z.strictObject({
          selector: selectorParameter,
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
    async ({ query, body, headers }) => {
      const selector = selectorFrom(query.selector);
      const contentType = headers["content-type"];
      const configuration = parseBody(body, { empty: query.empty === "true", contentType });
      if (query.packages === undefined) {
        return resultView(await offering.pushConfiguration(selector, configuration));
      }
      const set = await packageSet(catalogue, parsePackages(query.packages));
      const both = await offering.pushBoth(selector, configuration, set);
      return { ...resultView(both.configuration), packages_offer: pushView(both.packages) };
    },
  );
}

function resultView({
  rule,
  matched,
  offered,
  pending,
  skipped,
}: PushResult<Configuration>): z.infer<typeof configPushSchema> {
  return {
    config_hash: rule.desired.hashHex,
    selector: rule.selector.text,
    matched,
    offered: offered.length,
    pending,
    skipped,
  };
}

function parseBody(body: Uint8Array, options: BodyOptions): Configuration {
  try {
    return configurationFromBody(body, options);
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
