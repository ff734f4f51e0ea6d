import type { FastifyReply } from "fastify";
import * as z from "zod";
import type { Agent } from "../fleet/agent.ts";
import type { Condition } from "../fleet/condition.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { Groups } from "../fleet/groups.ts";
import type { Offering } from "../offers/offering.ts";
import type { OffersTable } from "../offers/tables.ts";
import { findAgent, oneAgent } from "./agent-parameter.ts";
import { agentDetailSchema, agentSummarySchema, offerSchema } from "./agent-schema.ts";
import { agentDetail, agentSummary, offerView } from "./agent-view.ts";
import type { Api } from "./api.ts";
import { longListJson } from "./long-list.ts";
import { comparePositions, linkNext, nextPage, type Position, pageOf, pageParameters } from "./page.ts";
import { selectorFrom, selectorParameter } from "./selector-query.ts";

export interface AgentsApi {
  fleet: Fleet;
  groups: Groups;
  offering: Offering;
  conditionOf: (agent: Agent) => Condition;
  /** Newest first. */
  offersOf: (id: string) => Promise<OffersTable[]>;
}

const filterParameters = {
  connected: z.enum(["true", "false"]).optional(),
  healthy: z.enum(["true", "false"]).optional().describe("As they say themselves; neither: they do not say"),
  group: z.string().optional().describe("Those of this group"),
  config_hash: z.string().optional().describe("Those that run this configuration"),
};

type Filter = z.infer<z.ZodObject<typeof filterParameters>>;

function passes(agent: Agent, filter: Filter, groups: Groups): boolean {
  const { presence, state, appliedHash } = agent;
  const { connected, healthy, group, config_hash } = filter;
  if (connected !== undefined && String(presence.t !== "gone") !== connected) return false;
  if (healthy !== undefined && String(state.health?.healthy) !== healthy) return false;
  if (group !== undefined && groups.of(agent)?.name !== group) return false;
  return config_hash === undefined || appliedHash === config_hash;
}

/** In the order first heard. */
function positionOf({ firstSeen, id }: Agent): Position {
  return [firstSeen, id];
}

export function agentRoutes(api: Api, rooms: AgentsApi): void {
  const { conditionOf, fleet, groups, offering, offersOf } = rooms;
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
      const found = fleet.list(selectorFrom(query.selector)).filter((agent) => passes(agent, query, groups));
      const inOrder = found.sort((a, b) => comparePositions(positionOf(a), positionOf(b)));
      const { items, next } = pageOf(inOrder, query, positionOf);
      linkNext(request, reply, next);
      const view = (agent: Agent) => agentSummary(agent, offering.assignedTo(agent), conditionOf(agent));
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
        response: { 200: agentDetailSchema.extend({ group: z.string().nullable() }) },
      },
    },
    async ({ params }) => {
      const agent = findAgent(fleet, params);
      const detail = agentDetail(agent, offering.assignedTo(agent), conditionOf(agent));
      return { ...detail, group: groups.of(agent)?.name ?? null };
    },
  );

  api.get(
    "/api/v1/agents/:instance_uid/offers",
    {
      schema: {
        tags: ["agents"],
        summary: "What an agent was offered last, and what it answered; newest first",
        params: oneAgent,
        response: { 200: z.object({ offers: z.array(offerSchema) }) },
      },
    },
    async ({ params }) => {
      const agent = findAgent(fleet, params);
      return { offers: (await offersOf(agent.id)).map(offerView) };
    },
  );
}
