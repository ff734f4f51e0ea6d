import * as z from "zod";
import type { Strategy } from "../rollouts/strategy/strategy.ts";
import type { Api } from "./api.ts";
import { orProblem } from "./rollout-problems.ts";
import type { RolloutsApi } from "./rollouts.ts";

const document = z
  .record(z.string(), z.unknown())
  .meta({ examples: [{ kind: "RolloutStrategy", name: "mine", stages: [{ share: "100%", dwell: "10m" }] }] })
  .describe("A document of kind: RolloutStrategy");

const strategySchema = z.object({ name: z.string(), description: z.string(), document });

export function strategyRoutes(api: Api, { strategies }: RolloutsApi): void {
  api.get(
    "/api/v1/strategies",
    {
      schema: {
        tags: ["rollouts"],
        summary: "The strategies there are, the ready-made ones first",
        response: { 200: z.object({ strategies: z.array(strategySchema) }) },
      },
    },
    async () => ({ strategies: (await strategies.list()).map(viewOf) }),
  );

  api.post(
    "/api/v1/strategies",
    {
      schema: {
        tags: ["rollouts"],
        summary: "Keeps a strategy; one of that name is replaced for rollouts to come",
        body: document,
        response: { 200: strategySchema },
      },
    },
    ({ body }) => orProblem(async () => viewOf(await strategies.put(body))),
  );
}

function viewOf({ name, description, document: written }: Strategy): z.infer<typeof strategySchema> {
  return { name, description, document: { ...written } };
}
