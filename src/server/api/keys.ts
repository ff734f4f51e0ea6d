import * as z from "zod";
import type { ApiKey, ApiKeys } from "../access/keys.ts";
import { roles } from "../access/role.ts";
import { identityOf } from "./access-control.ts";
import type { Api } from "./api.ts";
import { isoTime } from "./iso-time.ts";
import { ProblemError } from "./problem.ts";

export interface KeysApi {
  keys: ApiKeys;
  /** Milliseconds that a key is good for unless it says otherwise. */
  keyLifetimeMs: number;
}

const dayMs = 86_400_000;
/** Before its end a key is listed as expiring. */
const warnMs = 30 * dayMs;

const keySchema = z
  .object({
    id: z.string(),
    name: z.string(),
    role: z.enum([...roles, "agent"]),
    created_by: z.string(),
    created_at: z.string(),
    expires_at: z.string(),
    state: z.enum(["active", "expiring", "expired", "revoked", "used-up"]),
    uses_left: z.int().nullable(),
  })
  .meta({ id: "ApiKey" });

const newKeySchema = z
  .strictObject({
    name: z.string().min(1).max(200),
    role: z.enum([...roles, "agent"]).describe("agent: opens the OpAMP endpoint, and nothing here"),
    lifetime_days: z.number().positive().max(3650).optional(),
    uses: z.int().positive().optional().describe("For agents that enrol: how many connections it opens"),
    reason: z.string().optional(),
  })
  .meta({ examples: [{ name: "ci", role: "operator" }] });

export function keyRoutes(api: Api, { keys, keyLifetimeMs }: KeysApi): void {
  const onlyAdmins = { role: "admin" } as const;

  api.get(
    "/api/v1/whoami",
    {
      schema: {
        tags: ["access"],
        summary: "Who the caller is taken for",
        response: { 200: z.object({ name: z.string(), role: z.enum(roles), by: z.string() }) },
      },
    },
    async (request) => ({ ...identityOf(request) }),
  );

  api.get(
    "/api/v1/tokens",
    {
      config: onlyAdmins,
      schema: {
        tags: ["access"],
        summary: "The API keys, without their secrets",
        response: { 200: z.object({ tokens: z.array(keySchema) }) },
      },
    },
    async () => ({ tokens: (await keys.list()).map(keyView) }),
  );

  api.post(
    "/api/v1/tokens",
    {
      config: onlyAdmins,
      schema: {
        tags: ["access"],
        summary: "Makes an API key; this answer is the only one that has its secret",
        body: newKeySchema,
        response: { 201: keySchema.extend({ secret: z.string() }) },
      },
    },
    async (request, reply) => {
      const { name, role, lifetime_days, uses } = request.body;
      const { key, secret } = await keys.create({
        name,
        role,
        createdBy: identityOf(request).name,
        lifetimeMs: lifetime_days === undefined ? keyLifetimeMs : lifetime_days * dayMs,
        usesLeft: uses,
      });
      request.change = { target: key.id, after: keyView(key) };
      return reply.code(201).send({ ...keyView(key), secret });
    },
  );

  api.delete(
    "/api/v1/tokens/:id",
    {
      config: onlyAdmins,
      schema: {
        tags: ["access"],
        summary: "Revokes a key at once, with the connections it opened",
        params: z.object({ id: z.string() }),
        response: { 204: z.undefined() },
      },
    },
    async ({ params }, reply) => {
      if (!(await keys.revoke(params.id))) {
        throw new ProblemError(
          "no-such-token",
          `there is no API key ${params.id}: GET /api/v1/tokens lists them`,
        );
      }
      return reply.code(204).send(undefined);
    },
  );

  function keyView(key: ApiKey): z.infer<typeof keySchema> {
    const { id, name, role, created_by, created_at, expires_at, uses_left } = key;
    return {
      id,
      name,
      role,
      created_by,
      created_at: isoTime(created_at),
      expires_at: isoTime(expires_at),
      state: stateOf(key),
      uses_left,
    };
  }

  function stateOf(key: ApiKey): z.infer<typeof keySchema>["state"] {
    if (key.revoked_at !== null) return "revoked";
    if (key.uses_left === 0) return "used-up";
    if (!keys.isGood(key)) return "expired";
    return keys.isGood({ ...key, expires_at: key.expires_at - warnMs }) ? "active" : "expiring";
  }
}
