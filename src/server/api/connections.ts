import { randomUUID } from "node:crypto";
import * as z from "zod";
import type { ReadSecret } from "../configurations/secret-reference.ts";
import {
  connectionSettingsSchema,
  createConnectionOffer,
  secretsIn,
} from "../connections/connection-settings.ts";
import type { RuleBook } from "../offers/rule-book.ts";
import { identityOf } from "./access-control.ts";
import type { Api } from "./api.ts";
import { ProblemError } from "./problem.ts";
import { pushedTo, pushedView, rolloutOf, startedRollout } from "./push-schema.ts";
import { orProblem } from "./rollout-problems.ts";
import type { RolloutsApi } from "./rollouts.ts";
import { selectorFrom } from "./selector-query.ts";

export interface ConnectionsApi {
  rules: RuleBook;
  readSecret: ReadSecret;
}

const tags = ["connections"];

const offerBody = z
  .strictObject({
    settings: connectionSettingsSchema,
    selector: z.string().optional().describe("The agents meant; left out: all"),
    strategy: z.string().min(1).optional().describe("Left out: rollouts.default_strategy"),
    message: z.string().default(""),
    reissue: z.boolean().default(false).describe("Under a new hash, so that who refused it tries it again"),
  })
  .meta({
    examples: [
      {
        settings: {
          own_metrics: {
            destination_endpoint: "https://otlp.example.com/v1/metrics",
            headers: { authorization: `Bearer \${secret:otlp}` },
          },
        },
        selector: "env=prod",
      },
    ],
  });

const offered = z.object({
  rule: z.int(),
  connections_hash: z.string(),
  selector: z.string(),
  rollout: z
    .string()
    .nullable()
    .describe("The rollout under way that decides whom it has reached; null: all"),
  settings: connectionSettingsSchema,
});

/** Offers of what Agents connect to. */
export function connectionRoutes(
  api: Api,
  { readSecret, rollouts, rules, strategies }: ConnectionsApi & RolloutsApi,
): void {
  api.get(
    "/api/v1/connections",
    {
      schema: {
        tags,
        summary:
          "The offers of connection settings, the newest first: an agent has the first that applies to it",
        response: { 200: z.object({ connections: z.array(offered) }) },
      },
    },
    async () => ({
      connections: rules.active("connections").map(({ desired, number, rolloutId, selector }) => ({
        rule: number,
        connections_hash: desired.hashHex,
        selector: selector.text,
        rollout: rolloutId ?? null,
        settings: desired.settings,
      })),
    }),
  );

  api.post(
    "/api/v1/connections",
    {
      schema: {
        tags: [...tags, "rollouts"],
        summary: "Makes these, all of them and no others, the connection settings of the selector",
        body: offerBody,
        response: {
          200: z.object({
            connections_hash: z.string(),
            selector: z.string(),
            matched: z.int(),
            ...pushedTo,
            ...startedRollout,
          }),
        },
      },
    },
    async (request) => {
      const { message, reissue, settings, strategy, ...body } = request.body;
      for (const name of secretsIn(JSON.stringify(settings))) {
        const secret = readSecret(name);
        if ("problem" in secret) throw new ProblemError("bad-request", secret.problem);
      }
      const selector = selectorFrom(body.selector);
      const desired = createConnectionOffer(settings, reissue ? randomUUID() : undefined);
      const started = await orProblem(async () =>
        rollouts.start({
          contents: [{ kind: "connections", desired }],
          selector,
          strategy: await strategies.get(strategy),
          by: identityOf(request).name,
          message,
        }),
      );
      return {
        connections_hash: desired.hashHex,
        selector: selector.text,
        matched: started.matched,
        ...pushedView(started.offers.get("connections")),
        ...rolloutOf(started),
      };
    },
  );
}
