import type { ApiResult } from "./http.ts";

/** `GET /health`: the process answers. */
export function health(): ApiResult {
  return { status: 200, body: { status: "ok" } };
}

/** `GET /ready`: Agents are served. 503 before both listeners are open, and while closing. */
export function ready(isReady: () => boolean): ApiResult {
  return isReady()
    ? { status: 200, body: { status: "ready" } }
    : { status: 503, body: { status: "not ready" } };
}
