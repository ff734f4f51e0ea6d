import * as z from "zod";
import type {
  CertificateRequestRow,
  CertificateRow,
  CertificateRows,
} from "../certificates/certificate-rows.ts";
import type { Certificates } from "../certificates/certificates.ts";
import type { Issuing, RequestResult } from "../certificates/issuing.ts";
import type { CertificateRegister } from "../certificates/register.ts";
import { certificateState, renewalSummary } from "../certificates/standing.ts";
import { identityOf } from "./access-control.ts";
import type { Api } from "./api.ts";
import { isoTime } from "./iso-time.ts";
import { ProblemError } from "./problem.ts";

export interface CertificatesApi {
  certificateRoom: {
    rows: CertificateRows;
    register: CertificateRegister;
    certificates: Certificates;
    issuing: Issuing | undefined;
    /** Milliseconds before its end from which on a certificate is listed as expiring. */
    renewBeforeMs: number;
    now: () => number;
  };
}

const states = ["issued", "active", "expiring", "failed", "expired", "revoked"] as const;

const certificateSchema = z
  .object({
    serial: z.string(),
    fingerprint: z.string().describe("SHA-256, hexadecimal"),
    instance_uid: z.string().nullable().describe("null: it names no agent, as one that many share"),
    origin: z.enum(["issued", "seen"]).describe("issued here, or seen when an agent came with it"),
    state: z.enum(states).describe("issued: not used yet; failed: its agent has refused it"),
    created_at: z.string(),
    expires_at: z.string(),
    used_at: z.string().nullable(),
    last_seen_at: z.string().nullable(),
    failure: z.string().nullable(),
    revoked_at: z.string().nullable(),
    revoke_reason: z.string().nullable(),
  })
  .meta({ id: "Certificate" });

const requestSchema = z
  .object({
    id: z.string(),
    instance_uid: z.string(),
    csr: z.string().describe("PEM"),
    remote_address: z.string(),
    cause: z.string().describe("Why it was not issued by itself"),
    requested_at: z.string(),
    state: z.enum(["pending", "approved", "refused"]),
    decided_at: z.string().nullable(),
    decided_by: z.string().nullable(),
    reason: z.string().nullable(),
  })
  .meta({ id: "CertificateRequest" });

const reasonBody = z
  .strictObject({ reason: z.string().min(1).max(1000) })
  .meta({ examples: [{ reason: "lost" }] });

const keepListedMs = 30 * 86_400_000;

export function certificateRoutes(api: Api, { certificateRoom: room }: CertificatesApi): void {
  const { rows, register, certificates, renewBeforeMs } = room;
  const onlyAdmins = { role: "admin" } as const;
  const tags = ["certificates"];

  api.get(
    "/api/v1/certificates",
    {
      schema: {
        tags,
        summary: "The certificates of agents, soonest to end first, and how renewing them goes",
        querystring: z.strictObject({
          state: z.enum(states).optional(),
          instance_uid: z.string().optional(),
        }),
        response: {
          200: z.object({
            certificates: z.array(certificateSchema),
            renewals: z.object({
              issued: z.int(),
              succeeded: z.int(),
              failed: z.int(),
              success_rate: z.number().nullable().describe("0 to 1; null: nothing was issued yet"),
              laggards: z
                .array(z.string())
                .describe("Instance UIDs whose certificate ends soon and has no successor"),
            }),
          }),
        },
      },
    },
    async ({ query }) => {
      const now = room.now();
      const all = await rows.list(now - keepListedMs);
      const views = all.map((row) => certificateView(row, certificateState(row, now, renewBeforeMs)));
      const wanted = views.filter(
        ({ state, instance_uid }) =>
          (query.state === undefined || state === query.state) &&
          (query.instance_uid === undefined || instance_uid === query.instance_uid),
      );
      return { certificates: wanted, renewals: renewalSummary(all, now, renewBeforeMs) };
    },
  );

  api.post(
    "/api/v1/certificates/:serial/revoke",
    {
      config: onlyAdmins,
      schema: {
        tags,
        summary: "Revokes a certificate at once, with the connections it opened",
        params: z.object({ serial: z.string().describe("Or its fingerprint") }),
        body: reasonBody,
        response: { 200: certificateSchema },
      },
    },
    async (request) => {
      const name = request.params.serial.replaceAll(":", "").toLowerCase();
      const [row, ...others] = await rows.named(name);
      if (row === undefined) {
        throw new ProblemError(
          "no-such-certificate",
          `no certificate ${name} is known: GET /api/v1/certificates`,
        );
      }
      if (others.length > 0) {
        throw new ProblemError(
          "ambiguous-certificate",
          `several authorities used ${name}: name the fingerprint`,
        );
      }
      if (row.revoked_at === null) await register.revoke(row, request.body.reason);
      const after = (await rows.get(row.fingerprint)) ?? row;
      request.change = { target: `certificate ${row.serial}` };
      return certificateView(after, certificateState(after, room.now(), renewBeforeMs));
    },
  );

  api.get(
    "/api/v1/certificates/requests",
    {
      schema: {
        tags,
        summary: "What agents asked for that a person has to decide on",
        querystring: z.strictObject({ state: z.enum(["pending", "approved", "refused"]).default("pending") }),
        response: { 200: z.object({ requests: z.array(requestSchema) }) },
      },
    },
    async ({ query }) => ({ requests: (await rows.requests(query.state)).map(requestView) }),
  );

  for (const decision of ["approve", "refuse"] as const) {
    api.post(
      `/api/v1/certificates/requests/:id/${decision}`,
      {
        config: onlyAdmins,
        schema: {
          tags,
          summary:
            decision === "approve"
              ? "Issues what was asked for; the agent is offered it now, or when it comes back"
              : "Refuses what was asked for; the agent is told why when it asks again",
          params: z.object({ id: z.string() }),
          body: reasonBody,
          response: { 200: requestSchema },
        },
      },
      async (request) => {
        const found = await rows.request(request.params.id);
        if (found === undefined) {
          throw new ProblemError("no-such-certificate-request", `there is no request ${request.params.id}`);
        }
        const { reason } = request.body;
        const by = identityOf(request).name;
        if (decision === "approve") expectIssued(await certificates.approve(found, by, reason), room.issuing);
        else if ((await room.issuing?.refuse(found, by, reason)) !== true)
          expectIssued(undefined, room.issuing);
        request.change = { target: `certificate of ${found.instance_uid}` };
        return requestView((await rows.request(found.id)) ?? found);
      },
    );
  }
}

function expectIssued(result: RequestResult | undefined, issuing: Issuing | undefined): void {
  if (issuing === undefined) {
    throw new ProblemError("no-authority", "this server issues no certificates: set certificates.authority");
  }
  if (result === undefined) throw new ProblemError("already-decided", "somebody has decided on it already");
  if (result.t === "issued") return;
  throw new ProblemError("certificate-not-issued", result.t === "pending" ? "it still waits" : result.reason);
}

const timeOrNull = (at: number | null) => (at === null ? null : isoTime(at));

function certificateView(
  row: CertificateRow,
  state: (typeof states)[number],
): z.infer<typeof certificateSchema> {
  const { serial, fingerprint, instance_uid, origin, failure, revoke_reason } = row;
  return {
    serial,
    fingerprint,
    instance_uid,
    origin,
    state,
    created_at: isoTime(row.created_at),
    expires_at: isoTime(row.expires_at),
    used_at: timeOrNull(row.used_at),
    last_seen_at: timeOrNull(row.last_seen_at),
    failure,
    revoked_at: timeOrNull(row.revoked_at),
    revoke_reason,
  };
}

function requestView(row: CertificateRequestRow): z.infer<typeof requestSchema> {
  const { csr_hash: _, requested_at, decided_at, ...rest } = row;
  return { ...rest, requested_at: isoTime(requested_at), decided_at: timeOrNull(decided_at) };
}
