import type { Api } from "./api.ts";
import { ProblemError } from "./problem.ts";

/** Which methods each path takes, for what is answered to requests that fit no route. */
export interface KnownRoutes {
  /** The problem of a request that no route takes: another method would do, or nothing is there. */
  problemOf(method: string, path: string): ProblemError;
}

/** Takes note of every route that is added from now on. */
export function noteRoutes(api: Api): KnownRoutes {
  const methodsOf = new Map<string, Set<string>>();
  api.addHook("onRoute", ({ url, method }) => {
    const methods = methodsOf.get(url) ?? new Set();
    for (const each of [method].flat()) methods.add(each);
    methodsOf.set(url, methods);
  });
  return {
    problemOf(method, path) {
      const [found] = [...methodsOf].filter(([pattern]) => fits(pattern, path));
      if (found !== undefined) {
        const allow = [...found[1]].filter((each) => each !== "HEAD").join(", ");
        const detail = `${path} takes ${allow}, not ${method}`;
        return new ProblemError("method-not-allowed", detail, { headers: { allow } });
      }
      const collections = [...methodsOf.keys()].filter((pattern) => !pattern.includes(":")).join(", ");
      const detail = `nothing at ${path}; this is the management API of opamp-server: ${collections}`;
      return new ProblemError("not-found", detail);
    },
  };
}

/** Whether a path is one of a route such as `/agents/:instance_uid`, whose parameter is never empty. */
function fits(pattern: string, path: string): boolean {
  const wanted = pattern.split("/");
  const given = path.split("/");
  if (wanted.length !== given.length) return false;
  return wanted.every((part, index) => (part.startsWith(":") ? given[index] !== "" : part === given[index]));
}
