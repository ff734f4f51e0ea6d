import * as z from "zod";
import type { AgentService } from "../agent-service.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { Restarts } from "../restarts.ts";
import { findAgent, oneAgent } from "./agent-parameter.ts";
import type { Api } from "./api.ts";
import { ProblemError } from "./problem.ts";
import { selectorFrom, selectorParameter } from "./selector-query.ts";

export interface AgentRestartsApi {
  fleet: Fleet;
  service: AgentService;
  restarts: Restarts;
}

const usualRate = 10;
const maxRate = 200;

export function agentRestartRoutes(api: Api, { fleet, service, restarts }: AgentRestartsApi): void {
  api.post(
    "/api/v1/agents/:instance_uid/restart",
    {
      schema: {
        tags: ["agents"],
        summary: "Has an agent restart its Collector; only its next reports tell how it went",
        params: oneAgent,
        response: {
          202: z.object({ id: z.string(), sent: z.boolean(), reason: z.string().optional() }),
        },
      },
    },
    async ({ params }, reply) => {
      const agent = findAgent(fleet, params);
      const result = service.restart(agent);
      switch (result.t) {
        case "refused":
          throw new ProblemError("cannot-restart", `agent ${agent.id}: ${result.reason}`);
        case "sent":
          return reply.code(202).send({ id: agent.id, sent: true });
        case "waits-for-poll":
          return reply.code(202).send({ id: agent.id, sent: false, reason: "sent at its next poll" });
      }
    },
  );

  api.post(
    "/api/v1/agents/restart",
    {
      schema: {
        tags: ["agents"],
        summary: "Has the agents of a selector restart their Collectors, so many in a second",
        querystring: z.strictObject({
          selector: selectorParameter.describe("The agents meant; or all=true"),
          all: z.enum(["true"]).optional().describe("Every agent is meant"),
          rate: z.coerce.number().min(0.01).max(maxRate).default(usualRate).describe("Agents in a second"),
        }),
        response: {
          202: z.object({
            matched: z.int(),
            restarting: z.int(),
            seconds: z.number().describe("Until the last one is told"),
            skipped: z.array(z.object({ id: z.string(), reason: z.string() })),
          }),
        },
      },
    },
    async ({ query }, reply) => {
      // A selector that got lost on the way must not restart a whole fleet.
      if ((query.selector === undefined) === (query.all === undefined)) {
        throw new ProblemError("bad-query-parameter", "give selector, or all=true for every agent");
      }
      const agents = fleet.list(selectorFrom(query.selector));
      if (restarts.waiting > 0) {
        const detail = `${restarts.waiting} agents still wait for theirs`;
        throw new ProblemError("restarts-under-way", detail, { headers: { "retry-after": "10" } });
      }
      const judged = agents.map((agent) => ({ id: agent.id, reason: service.obstacleToRestart(agent) }));
      const able = judged.flatMap(({ id, reason }) => (reason === undefined ? [id] : []));
      const skipped = judged.flatMap(({ id, reason }) => (reason === undefined ? [] : [{ id, reason }]));
      restarts.start(able, query.rate);
      const seconds = Math.max(0, able.length - 1) / query.rate;
      return reply.code(202).send({ matched: agents.length, restarting: able.length, seconds, skipped });
    },
  );
}
