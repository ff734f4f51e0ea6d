import type { AgentService } from "../agent-service.ts";
import type { Configuration } from "../configurations/configuration.ts";
import { ConfigurationBodyError, configurationFromBody } from "../configurations/yaml-body.ts";
import { type ApiRequest, type ApiResult, knownQuery, ProblemError } from "./http.ts";
import { selectorFrom } from "./selector-query.ts";

/** `POST /config`: the body, YAML under any content type, becomes the desired configuration of `?selector=`. */
export function pushConfig(service: AgentService, request: ApiRequest): ApiResult {
  const query = knownQuery(request.query, ["selector", "empty"]);
  const selector = selectorFrom(query.selector);
  const configuration = parseBody(request, isTrue(query.empty));
  const { matched, offered, pending, skipped } = service.push(selector, configuration);
  return {
    status: 200,
    body: {
      config_hash: configuration.hashHex,
      selector: selector.text,
      matched,
      offered: offered.length,
      pending,
      skipped,
    },
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
