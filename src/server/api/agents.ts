import type { FastifyReply } from "fastify";
import * as z from "zod";
import { formatInstanceUid, parseInstanceUid } from "../../opamp/instance-uid.ts";
import type { AgentService } from "../agent-service.ts";
import type { Agent } from "../fleet/agent.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { Offering } from "../offers/offering.ts";
import { agentDetailSchema, agentSummarySchema } from "./agent-schema.ts";
import { agentDetail, agentSummary } from "./agent-view.ts";
import type { Api } from "./api.ts";
import { longListJson } from "./long-list.ts";
import { comparePositions, linkNext, nextPage, type Position, pageOf, pageParameters } from "./page.ts";
import { ProblemError } from "./problem.ts";
import { selectorFrom, selectorParameter } from "./selector-query.ts";

export interface AgentsApi {
  fleet: Fleet;
  service: AgentService;
  offering: Offering;
}

const oneAgent = z.object({ instance_uid: z.string().describe("The agent's instance UID, a UUID") });

const filterParameters = {
  connected: z.enum(["true", "false"]).optional(),
  healthy: z.enum(["true", "false"]).optional().describe("As they say themselves; neither: they do not say"),
  config_hash: z.string().optional().describe("Those that run this configuration"),
};

type Filter = z.infer<z.ZodObject<typeof filterParameters>>;

function passes({ presence, state, appliedHash }: Agent, filter: Filter): boolean {
  const { connected, healthy, config_hash } = filter;
  if (connected !== undefined && String(presence.t !== "gone") !== connected) return false;
  if (healthy !== undefined && String(state.health?.healthy) !== healthy) return false;
  return config_hash === undefined || appliedHash === config_hash;
}

/** In the order first heard. */
function positionOf({ firstSeen, id }: Agent): Position {
  return [firstSeen, id];
}

export function agentRoutes(api: Api, { fleet, service, offering }: AgentsApi): void {
  api.get(
    "/api/v1/agents",
    {
      schema: {
        tags: ["agents"],
        summary: "The agents heard so far, connected or not",
        querystring: z.strictObject({ selector: selectorParameter, ...filterParameters, ...pageParameters }),
        response: { 200: z.object({ agents: z.array(agentSummarySchema), next: nextPage }) },
      },
    },
    async (request, reply) => {
      const { query } = request;
      const found = fleet.list(selectorFrom(query.selector)).filter((agent) => passes(agent, query));
      const inOrder = found.sort((a, b) => comparePositions(positionOf(a), positionOf(b)));
      const { items, next } = pageOf(inOrder, query, positionOf);
      linkNext(request, reply, next);
      const view = (agent: Agent) => agentSummary(agent, offering.assignedTo(agent));
      return (reply as FastifyReply).send(await longListJson("agents", items, view, { next }));
    },
  );

  api.get(
    "/api/v1/agents/:instance_uid",
    {
      schema: {
        tags: ["agents"],
        summary: "One agent, with what can be large",
        params: oneAgent,
        response: { 200: agentDetailSchema },
      },
    },
    async ({ params }) => {
      const agent = findAgent(fleet, params.instance_uid);
      return agentDetail(agent, offering.assignedTo(agent));
    },
  );

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
      const agent = findAgent(fleet, params.instance_uid);
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
}

function findAgent(fleet: Fleet, text: string): Agent {
  const uid = parseInstanceUid(text);
  if (uid === undefined) {
    throw new ProblemError("bad-instance-uid", `${JSON.stringify(text)} is not a UUID`);
  }
  const agent = fleet.get(formatInstanceUid(uid));
  if (agent === undefined) throw new ProblemError("no-such-agent", `no agent ${text} was heard so far`);
  return agent;
}
