import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";

/** The client's own `X-Request-Id`, or a new one: it is in the answer and, if something goes wrong here, in the log. */
export function requestIdOf({ headers }: Pick<IncomingMessage, "headers">): string {
  const given = headers["x-request-id"];
  return typeof given === "string" && /^[\w.:-]{1,128}$/.test(given) ? given : randomUUID();
}
