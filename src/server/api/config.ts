import type { Configuration } from "../configurations/configuration.ts";
import { ConfigurationBodyError, configurationFromBody } from "../configurations/yaml-body.ts";
import type { PushResult } from "../offers/offering.ts";
import { type ApiRequest, type ApiResult, knownQuery, ProblemError } from "./http.ts";
import { type PackagesApi, packageSet, pushView } from "./packages.ts";
import { selectorFrom } from "./selector-query.ts";

/**
 * `POST /config`: the body, YAML under any content type, becomes the desired configuration of `?selector=`.
 * `?packages=name:version,…` makes these the desired packages with it; an Agent gets both in one message.
 */
export async function pushConfig(
  { offering, catalogue }: PackagesApi,
  request: ApiRequest,
): Promise<ApiResult> {
  const query = knownQuery(request.query, ["selector", "empty", "packages"]);
  const selector = selectorFrom(query.selector);
  const configuration = parseBody(request, isTrue(query.empty));
  if (query.packages === undefined) {
    return { status: 200, body: resultView(offering.pushConfiguration(selector, configuration)) };
  }
  const set = await packageSet(catalogue, parsePackages(query.packages));
  const both = offering.pushBoth(selector, configuration, set);
  return {
    status: 200,
    body: { ...resultView(both.configuration), packages_offer: pushView(both.packages) },
  };
}

function resultView({ assignment, matched, offered, pending, skipped }: PushResult<Configuration>) {
  return {
    config_hash: assignment.desired.hashHex,
    selector: assignment.selector.text,
    matched,
    offered: offered.length,
    pending,
    skipped,
  };
}

function parseBody(request: ApiRequest, empty: boolean): Configuration {
  try {
    return configurationFromBody(request.body, { empty, contentType: request.contentType });
  } catch (error) {
    if (error instanceof ConfigurationBodyError)
      throw new ProblemError(400, "Bad configuration", error.message);
    throw error;
  }
}

function isTrue(text: string | undefined): boolean {
  if (text === undefined || text === "false") return false;
  if (text === "true") return true;
  throw new ProblemError(
    400,
    "Bad query parameter",
    `empty must be true or false, not ${JSON.stringify(text)}`,
  );
}

function parsePackages(text: string): Record<string, string> {
  const pairs = text.split(",").map((pair) => {
    const [, name, version] = /^\s*([^:\s]+):([^:\s]+)\s*$/.exec(pair) ?? [];
    if (name !== undefined && version !== undefined) return [name, version] as const;
    const problem = `packages must be name:version,name:version, not ${JSON.stringify(text)}`;
    throw new ProblemError(400, "Bad query parameter", problem);
  });
  const names = new Set(pairs.map(([name]) => name));
  if (names.size < pairs.length) {
    throw new ProblemError(400, "Bad query parameter", "packages names a package more than once");
  }
  return Object.fromEntries(pairs);
}
