import * as z from "zod";
import type { GoBackWish } from "../rollouts/go-back.ts";
import { identityOf } from "./access-control.ts";
import type { Api } from "./api.ts";
import { ProblemError } from "./problem.ts";
import { orProblem } from "./rollout-problems.ts";
import type { RolloutsApi } from "./rollouts.ts";
import { selectorFrom } from "./selector-query.ts";

const body = z
  .strictObject({
    selector: z.strictObject({ labels: z.record(z.string(), z.string()) }),
    to_version: z.string().optional().describe("previous, which is also meant when nothing else is named"),
    config_hash: z.string().optional().describe("sha256-HEX or HEX, instead of to_version"),
    reason: z.string().trim().min(1),
    requested_by: z.string().optional().describe("A note; who asks is told by the request itself"),
    method: z.enum(["immediate", "gradual"]).default("immediate"),
  })
  .meta({ examples: [{ selector: { labels: { env: "prod" } }, to_version: "previous", reason: "errors" }] });

/** `POST /rollback`: takes the Agents of a selector back to an earlier configuration. */
export function rollbackRoutes(api: Api, { goBack, strategies }: RolloutsApi): void {
  api.post(
    "/api/v1/rollback",
    {
      schema: {
        tags: ["rollouts"],
        summary: "Takes the agents of a selector back to an earlier configuration",
        body,
        response: {
          200: z.object({
            rollouts: z.array(z.string()).describe("Where its progress is to be seen"),
            matched: z.int(),
            config_hash: z.string().nullable().describe("null: each agent goes back to its own"),
          }),
        },
      },
    },
    async (request) => {
      const wish = request.body;
      const labels = Object.entries(wish.selector.labels).map(
        ([key, value]) => `${quoted(key)}=${quoted(value)}`,
      );
      const selector = selectorFrom(labels.length === 0 ? undefined : labels.join(","));
      const note = wish.requested_by === undefined ? "" : ` (requested by ${wish.requested_by})`;
      const went = await orProblem(async () =>
        goBack({
          selector,
          to: targetOf(wish),
          strategy: await strategies.get(wish.method === "immediate" ? "immediate" : undefined),
          by: identityOf(request).name,
          reason: `${wish.reason}${note}`,
        }),
      );
      return { rollouts: [...went.rollouts], matched: went.matched, config_hash: went.hash ?? null };
    },
  );
}

function targetOf({ to_version, config_hash }: z.infer<typeof body>): GoBackWish["to"] {
  if (to_version !== undefined && config_hash !== undefined) {
    throw new ProblemError("bad-request", "give to_version or config_hash, not both");
  }
  if (config_hash === undefined && (to_version === undefined || to_version === "previous")) return "previous";
  const [, hash] = /^(?:sha256-)?([0-9a-f]{64})$/i.exec(config_hash ?? to_version ?? "") ?? [];
  if (hash !== undefined) return { hash: hash.toLowerCase() };
  throw new ProblemError(
    "bad-request",
    "expected to_version: previous, or config_hash: 64 hexadecimal digits, with or without sha256- before them",
  );
}

function quoted(text: string): string {
  return `"${text.replaceAll(/["\\]/g, "\\$&")}"`;
}
