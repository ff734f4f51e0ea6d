import * as z from "zod";
import { formatInstanceUid, parseInstanceUid } from "../../opamp/instance-uid.ts";
import type { AgentService } from "../agent-service.ts";
import type { Agent } from "../fleet/agent.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { Offering } from "../offers/offering.ts";
import { agentDetailSchema, agentSummarySchema } from "./agent-schema.ts";
import { agentDetail, agentSummary } from "./agent-view.ts";
import type { Api } from "./api.ts";
import { ProblemError } from "./problem.ts";
import { selectorFrom, selectorParameter } from "./selector-query.ts";

export interface AgentsApi {
  fleet: Fleet;
  service: AgentService;
  offering: Offering;
}

const oneAgent = z.object({ instance_uid: z.string().describe("The agent's instance UID, a UUID") });

export function agentRoutes(api: Api, { fleet, service, offering }: AgentsApi): void {
  api.get(
    "/api/v1/agents",
    {
      schema: {
        tags: ["agents"],
        summary: "The agents heard so far, connected or not",
        querystring: z.strictObject({ selector: selectorParameter }),
        response: { 200: z.object({ agents: z.array(agentSummarySchema) }) },
      },
    },
    async ({ query }) => {
      const agents = fleet.list(selectorFrom(query.selector));
      return { agents: agents.map((agent) => agentSummary(agent, offering.assignedTo(agent))) };
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
