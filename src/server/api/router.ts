import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import { type ApiRequest, type ApiResult, type Handler, ProblemError, problemResult } from "./http.ts";

/** One operation of the API: `path` may have `{name}` parts, each of which takes one segment. */
export interface Route {
  method: "GET" | "POST";
  path: string;
  handler: Handler;
}

/** Finds the route of a request and runs its handler; whatever is thrown becomes a problem answer. */
export function createRouter(routes: readonly Route[], log: Logger): Handler {
  return async (request) => {
    try {
      return await dispatch(routes, request);
    } catch (error) {
      if (error instanceof ProblemError) return problemResult(error);
      const { method, path } = request;
      log.error({ event: "api_error", method, path, error: describeError(error) }, "request failed");
      return problemResult(new ProblemError(500, "Internal error", "see the log of opamp-server"));
    }
  };
}

async function dispatch(routes: readonly Route[], request: ApiRequest): Promise<ApiResult> {
  const here = routes.flatMap((route) => {
    const params = matchPath(route.path, request.path);
    return params === undefined ? [] : [{ route, params }];
  });
  if (here.length === 0) {
    const known = [...new Set(routes.map((route) => route.path))].join(", ");
    throw new ProblemError(
      404,
      "Not found",
      `nothing at ${request.path}; this is the management API of opamp-server: ${known}`,
    );
  }
  const wanted = request.method === "HEAD" ? "GET" : request.method;
  const found = here.find(({ route }) => route.method === wanted);
  if (found === undefined) {
    const allow = here.map(({ route }) => route.method).join(", ");
    throw new ProblemError(
      405,
      "Method not allowed",
      `${request.path} takes ${allow}, not ${request.method}`,
      { allow },
    );
  }
  return found.route.handler({ ...request, params: found.params });
}

/** The parameters when `path` fits `pattern`, else undefined. */
function matchPath(pattern: string, path: string): Record<string, string> | undefined {
  const wanted = pattern.split("/");
  const given = path.split("/");
  if (wanted.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const segment = given[index] ?? "";
    if (part.startsWith("{") && segment !== "") params[part.slice(1, -1)] = decodeSegment(segment);
    else if (part !== segment) return undefined;
  }
  return params;
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new ProblemError(400, "Bad path", `${segment} is not a percent-encoded path segment`);
  }
}
