import * as z from "zod";
import { exitCode, UsageError } from "../command-line.ts";
import type { CtlCommand, CtlContext } from "./ctl-command.ts";
import { formatTable } from "./table.ts";

const certificatesSchema = z.object({
  certificates: z.array(
    z.object({
      serial: z.string(),
      instance_uid: z.string().nullable(),
      origin: z.string(),
      state: z.string(),
      expires_at: z.string(),
    }),
  ),
  renewals: z.object({ success_rate: z.number().nullable(), laggards: z.array(z.string()) }),
});

const requestsSchema = z.object({
  requests: z.array(
    z.object({ id: z.string(), instance_uid: z.string(), remote_address: z.string(), cause: z.string() }),
  ),
});

const decisions = ["approve", "refuse"];

export const certificatesCommand: CtlCommand = {
  usage: "certificates [requests | approve ID | refuse ID | revoke SERIAL]",
  summary: "list the agents' certificates, decide on what agents ask for, or revoke one",
  options: {
    state: {
      type: "string",
      help: "STATE    only issued, active, expiring, failed, expired or revoked ones",
    },
    reason: { type: "string", help: "TEXT    approve, refuse, revoke: why; needed" },
  },
  async run(context, call) {
    const [what, name, ...more] = call.positionals;
    if (what === undefined) return await list(context, call.text("state"));
    if (what === "requests" && name === undefined) return await listRequests(context);
    const isDecision = decisions.includes(what);
    if (name === undefined || more.length > 0 || !(isDecision || what === "revoke")) {
      throw new UsageError(
        "certificates: expected nothing, requests, approve ID, refuse ID or revoke SERIAL",
      );
    }
    const reason = call.text("reason");
    if (reason === undefined) throw new UsageError(`certificates ${what}: needs --reason TEXT`);
    const base = isDecision ? "/api/v1/certificates/requests" : "/api/v1/certificates";
    const path = `${base}/${encodeURIComponent(name)}/${what}`;
    const answer = await context.api.call(path, { method: "POST", body: { reason } });
    if (context.json) context.print(JSON.stringify(answer));
    return exitCode.ok;
  },
};

async function list({ api, json, print }: CtlContext, state: string | undefined) {
  const answer = await api.call("/api/v1/certificates", { query: { state } });
  if (json) {
    print(JSON.stringify(answer));
    return exitCode.ok;
  }
  const { certificates, renewals } = certificatesSchema.parse(answer);
  const rows = certificates.map((each) => [
    each.serial,
    each.instance_uid ?? "(many)",
    each.origin,
    each.state,
    each.expires_at,
  ]);
  for (const line of formatTable(["SERIAL", "AGENT", "ORIGIN", "STATE", "EXPIRES"], rows)) print(line);
  const { success_rate, laggards } = renewals;
  if (success_rate !== null) print(`${(100 * success_rate).toFixed(2)} % of what was issued was used`);
  if (laggards.length > 0) print(`end soon, without a successor: ${laggards.join(", ")}`);
  return exitCode.ok;
}

async function listRequests({ api, json, print }: CtlContext) {
  const answer = await api.call("/api/v1/certificates/requests");
  if (json) {
    print(JSON.stringify(answer));
    return exitCode.ok;
  }
  const { requests } = requestsSchema.parse(answer);
  const rows = requests.map((each) => [each.id, each.instance_uid, each.remote_address, each.cause]);
  for (const line of formatTable(["REQUEST", "AGENT", "FROM", "CAUSE"], rows)) print(line);
  return exitCode.ok;
}
