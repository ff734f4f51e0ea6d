import { randomUUID } from "node:crypto";
import type * as z from "zod";
import { reissued } from "../configurations/configuration.ts";
import { RolloutError } from "../rollouts/rollout-error.ts";
import { parseStrategy } from "../rollouts/strategy/parse-strategy.ts";
import { identityOf } from "./access-control.ts";
import type { Api } from "./api.ts";
import { orProblem } from "./rollout-problems.ts";
import { newRolloutBody, previewSchema, rolloutSchema } from "./rollout-schema.ts";
import { previewView, rolloutView } from "./rollout-view.ts";
import type { RolloutsApi } from "./rollouts.ts";
import { selectorFrom } from "./selector-query.ts";

/** Starting a rollout of what this server has, and looking at what one would be. */
export function newRolloutRoutes(api: Api, { rollouts, strategies, storedConfiguration }: RolloutsApi): void {
  const wishOf = async (body: z.infer<typeof newRolloutBody>) => {
    const hash = body.config_hash.replace(/^sha256-/, "").toLowerCase();
    const stored = await storedConfiguration(hash);
    if (stored === undefined) {
      throw new RolloutError("no-such-configuration", `no configuration ${hash} was ever pushed`);
    }
    const { id, strategy } = body;
    return {
      contents: [
        { kind: "configuration" as const, desired: body.reissue ? reissued(stored, randomUUID()) : stored },
      ],
      selector: selectorFrom(body.selector),
      strategy: typeof strategy === "object" ? parseStrategy(strategy) : await strategies.get(strategy),
      ...(id === undefined ? {} : { id }),
    };
  };

  api.post(
    "/api/v1/rollouts",
    {
      schema: {
        tags: ["rollouts"],
        summary: "Starts a rollout of a configuration that was pushed before",
        body: newRolloutBody,
        response: { 200: rolloutSchema },
      },
    },
    (request) =>
      orProblem(async () => {
        const { message } = request.body;
        const wish = await wishOf(request.body);
        const { rollout } = await rollouts.start({ ...wish, by: identityOf(request).name, message });
        return rolloutView(rollouts.get(rollout.id));
      }),
  );

  api.post(
    "/api/v1/rollouts/preview",
    {
      schema: {
        tags: ["rollouts"],
        summary: "Who would come into which stage, who is blocked, and who could not go back",
        body: newRolloutBody,
        response: { 200: previewSchema },
      },
      config: { role: "viewer" },
    },
    ({ body }) =>
      orProblem(async () => {
        const wish = await wishOf(body);
        return previewView(rollouts, wish);
      }),
  );
}
