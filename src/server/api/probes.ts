import * as z from "zod";
import type { Api } from "./api.ts";

export interface ProbesApi {
  isReady: () => boolean;
}

export function probeRoutes(api: Api, { isReady }: ProbesApi): void {
  api.get(
    "/health",
    {
      config: { role: "anyone" },
      schema: {
        tags: ["probes"],
        summary: "The process answers",
        response: { 200: z.object({ status: z.literal("ok") }) },
      },
    },
    async () => ({ status: "ok" as const }),
  );

  api.get(
    "/ready",
    {
      config: { role: "anyone" },
      schema: {
        tags: ["probes"],
        summary: "Agents are served; 503 before both listeners are open, and while closing",
        response: {
          200: z.object({ status: z.literal("ready") }),
          503: z.object({ status: z.literal("not ready") }),
        },
      },
    },
    async (_request, reply) =>
      isReady() ? reply.code(200).send({ status: "ready" }) : reply.code(503).send({ status: "not ready" }),
  );
}
