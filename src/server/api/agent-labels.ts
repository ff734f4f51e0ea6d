import type { FastifyRequest } from "fastify";
import * as z from "zod";
import { isReservedKey } from "../../opamp/selector-key.ts";
import type { Agent } from "../fleet/agent.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { type Labels, labelsOf } from "../fleet/labels.ts";
import type { OperatorLabels } from "../fleet/operator-labels.ts";
import { findAgent, oneAgent } from "./agent-parameter.ts";
import type { Api } from "./api.ts";
import { checkPreconditions } from "./preconditions.ts";
import { ProblemError } from "./problem.ts";

export interface AgentLabelsApi {
  fleet: Fleet;
  operatorLabels: OperatorLabels;
  /** An Agent's labels are others now. */
  relabelled: (agentId: string) => Promise<void>;
}

const maxLabels = 64;

const labelName = z
  .string()
  .regex(/^[^\s,()=!<>|"\\]{1,128}$/, {
    error: 'must be 1 to 128 characters, without spaces and , ( ) = ! < > | " \\',
  })
  .refine((name) => !isReservedKey(name), { error: "means something else in a selector" });
const labelValue = z.string().max(256);

const labelsSchema = z
  .object({
    labels: z.record(z.string(), z.string()).describe("Those that operators gave it"),
    own: z.record(z.string(), z.string()).describe("Those it says itself, which win"),
    shadowed: z
      .array(z.string())
      .describe("Operators' labels without effect: the agent came to say something of that name itself"),
  })
  .meta({ id: "AgentLabels" });

const replaceBody = z
  .strictObject({ labels: z.record(labelName, labelValue) })
  .meta({ examples: [{ labels: { team: "payments" } }] });

const patchBody = z
  .strictObject({ labels: z.record(labelName, labelValue.nullable()) })
  .meta({ examples: [{ labels: { team: "payments", old: null } }] });

export function agentLabelRoutes(api: Api, rooms: AgentLabelsApi): void {
  const { fleet, operatorLabels, relabelled } = rooms;
  const path = "/api/v1/agents/:instance_uid/labels";
  const common = { tags: ["agents"], params: oneAgent, response: { 200: labelsSchema } };

  const viewOf = ({ id, state }: Agent): z.infer<typeof labelsSchema> => {
    const labels = operatorLabels.get(id);
    const own = labelsOf(state.agentDescription);
    return { labels, own, shadowed: Object.keys(labels).filter((name) => Object.hasOwn(own, name)) };
  };

  /** @throws ProblemError 409 for a label that the agent itself has: it would have no effect */
  const change = async (request: FastifyRequest, agent: Agent, next: (labels: Labels) => Labels) => {
    const before = viewOf(agent);
    checkPreconditions(request, before);
    const labels = next(before.labels);
    const isOwn = (name: string) => Object.hasOwn(before.own, name) && !Object.hasOwn(before.labels, name);
    const taken = Object.keys(labels).filter(isOwn);
    if (taken.length > 0) {
      const detail = `the agent itself says ${taken.join(", ")}, and an operator's label cannot say otherwise`;
      throw new ProblemError("label-of-agent", detail, {
        errors: taken.map((name) => ({ in: "body", field: `labels.${name}`, message: "is the agent's own" })),
      });
    }
    if (Object.keys(labels).length > maxLabels) {
      throw new ProblemError("bad-body", `an agent can be given ${maxLabels} labels at most`);
    }
    await operatorLabels.replace(agent.id, labels);
    await relabelled(agent.id);
    request.change = { target: `agent ${agent.id}`, before: before.labels, after: labels };
    return viewOf(agent);
  };

  api.get(
    path,
    { schema: { ...common, summary: "An agent's labels: the operators' and its own" } },
    async ({ params }) => viewOf(findAgent(fleet, params)),
  );

  api.put(
    path,
    { schema: { ...common, summary: "Gives an agent these labels, and no others", body: replaceBody } },
    async (request) => change(request, findAgent(fleet, request.params), () => request.body.labels),
  );

  api.patch(
    path,
    { schema: { ...common, summary: "Adds and changes labels; null takes one away", body: patchBody } },
    async (request) =>
      change(request, findAgent(fleet, request.params), (labels) => {
        const merged = Object.entries({ ...labels, ...request.body.labels });
        return Object.fromEntries(merged.flatMap(([name, value]) => (value === null ? [] : [[name, value]])));
      }),
  );

  api.delete(
    path,
    { schema: { ...common, summary: "Takes away all labels that operators gave it" } },
    async (request) => change(request, findAgent(fleet, request.params), () => ({})),
  );
}
