import * as z from "zod";
import type { Group, Groups } from "../fleet/groups.ts";
import type { Api } from "./api.ts";
import { checkPreconditions } from "./preconditions.ts";
import { ProblemError } from "./problem.ts";
import { selectorFromBody, selectorSchema } from "./selector-body.ts";

export interface GroupsApi {
  groups: Groups;
}

const time = z.string().meta({ format: "date-time" });

const groupSchema = z
  .object({
    name: z.string(),
    selector: z.string(),
    priority: z.int().describe("Of several groups that pick an agent, the one with the highest is its group"),
    description: z.string(),
    created_at: time,
    updated_at: time,
  })
  .meta({ id: "Group" });

const groupBody = z
  .strictObject({
    selector: selectorSchema,
    priority: z.int().min(-1_000_000).max(1_000_000).default(0),
    description: z.string().max(1000).default(""),
  })
  .meta({ examples: [{ selector: "env=prod", priority: 10, description: "Production" }] });

const oneGroup = z.object({
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, {
    error: "must be 1 to 63 letters, digits, dots, hyphens and underscores, a letter or digit first",
  }),
});

export function groupRoutes(api: Api, { groups }: GroupsApi): void {
  const find = (name: string): Group => {
    const group = groups.get(name);
    if (group === undefined) throw new ProblemError("no-such-group", `there is no group ${name}`);
    return group;
  };

  api.get(
    "/api/v1/groups",
    {
      schema: {
        tags: ["groups"],
        summary: "The groups, highest priority first",
        description: "GET /api/v1/agents?group=NAME lists the agents of one.",
        response: { 200: z.object({ groups: z.array(groupSchema) }) },
      },
    },
    async () => ({ groups: groups.list().map(groupView) }),
  );

  api.get(
    "/api/v1/groups/:name",
    {
      schema: { tags: ["groups"], summary: "One group", params: oneGroup, response: { 200: groupSchema } },
    },
    async ({ params }) => groupView(find(params.name)),
  );

  api.put(
    "/api/v1/groups/:name",
    {
      schema: {
        tags: ["groups"],
        summary: "Makes a group, or changes it as a whole",
        params: oneGroup,
        body: groupBody,
        response: { 200: groupSchema, 201: groupSchema },
      },
    },
    async (request, reply) => {
      const { params, body } = request;
      const known = groups.get(params.name);
      checkPreconditions(request, known && groupView(known));
      const selector = selectorFromBody(body.selector);
      const group = groupView(await groups.put(params.name, { ...body, selector }));
      request.change = { target: `group ${params.name}`, before: known && groupView(known), after: group };
      return reply.code(known === undefined ? 201 : 200).send(group);
    },
  );

  api.delete(
    "/api/v1/groups/:name",
    {
      schema: {
        tags: ["groups"],
        summary: "Ends a group; its agents stay",
        params: oneGroup,
        response: { 204: z.undefined() },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const before = groupView(find(name));
      checkPreconditions(request, before);
      await groups.remove(name);
      request.change = { target: `group ${name}`, before };
      return reply.code(204).send();
    },
  );
}

function groupView(group: Group): z.infer<typeof groupSchema> {
  const { name, selector, priority, description, createdAt, updatedAt } = group;
  return {
    name,
    selector: selector.text,
    priority,
    description,
    created_at: new Date(createdAt).toISOString(),
    updated_at: new Date(updatedAt).toISOString(),
  };
}
