import * as z from "zod";
import type { Api } from "./api.ts";
import { rawBody } from "./bodies.ts";
import { parseConfigurationBody } from "./config.ts";
import { strategyParameter } from "./push-schema.ts";
import { orProblem } from "./rollout-problems.ts";
import type { RolloutsApi } from "./rollouts.ts";
import { selectorFrom, selectorParameter } from "./selector-query.ts";

/** Agents named of each group; of more only their number is told. */
const maxNamed = 200;

const someAgents = z.array(z.string()).describe(`At most ${maxNamed}`);

const previewSchema = z
  .object({
    config_hash: z.string(),
    matched: z.int(),
    strategy: z.string(),
    stages: z.array(z.object({ name: z.string(), adds: z.int(), agents: someAgents })),
    blocked: z.int(),
    reasons: z.record(z.string(), z.int()).describe("Why, and how many each"),
    unreachable: z.int().describe("Are offered it when they come back"),
    nothing_below: z.int().describe("Have nothing that they could go back to"),
  })
  .meta({ id: "ConfigPreview" });

/** Looks at a push before it is made: is the text a configuration, and whom would it reach, and when. */
export function configPreviewRoutes(api: Api, { rollouts, strategies }: RolloutsApi): void {
  api.post(
    "/api/v1/config/preview",
    {
      config: { role: "viewer", changesNothing: true },
      schema: {
        tags: ["configurations"],
        summary: "What POST /api/v1/config with the same body and parameters would do; nothing is done",
        consumes: ["application/yaml"],
        querystring: z.strictObject({ selector: selectorParameter, strategy: strategyParameter }),
        body: rawBody,
        response: { 200: previewSchema },
      },
    },
    ({ query, body, headers }) =>
      orProblem(async () => {
        const selector = selectorFrom(query.selector);
        const desired = parseConfigurationBody(body, { empty: false, contentType: headers["content-type"] });
        const strategy = await strategies.get(query.strategy);
        const { candidates, nothingBelow, places } = rollouts.preview({
          contents: [{ kind: "configuration", desired }],
          selector,
          strategy,
        });
        const placed = [...places];
        const blocked = candidates.flatMap((each) => (each.blocked === undefined ? [] : [each.blocked]));
        return {
          config_hash: desired.hashHex,
          matched: candidates.length,
          strategy: strategy.name,
          stages: strategy.stages.map(({ name }, index) => {
            const added = placed.filter(([, { stage }]) => stage === index).map(([id]) => id);
            return { name, adds: added.length, agents: added.slice(0, maxNamed) };
          }),
          blocked: blocked.length,
          reasons: tally(blocked),
          unreachable: candidates.filter(({ reachable }) => !reachable).length,
          nothing_below: nothingBelow.length,
        };
      }),
  );
}

function tally(texts: readonly string[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return Object.fromEntries(counts);
}
