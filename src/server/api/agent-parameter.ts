import * as z from "zod";
import { formatInstanceUid, parseInstanceUid } from "../../opamp/instance-uid.ts";
import type { Agent } from "../fleet/agent.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { ProblemError } from "./problem.ts";

/** `{instance_uid}` of every route about one Agent. */
export const oneAgent = z.object({ instance_uid: z.string().describe("The agent's instance UID, a UUID") });

/** @throws ProblemError 400 for what is no UUID, 404 for an Agent that was never heard */
export function findAgent(fleet: Fleet, { instance_uid: text }: z.infer<typeof oneAgent>): Agent {
  const uid = parseInstanceUid(text);
  if (uid === undefined) {
    throw new ProblemError("bad-instance-uid", `${JSON.stringify(text)} is not a UUID`);
  }
  const agent = fleet.get(formatInstanceUid(uid));
  if (agent === undefined) throw new ProblemError("no-such-agent", `no agent ${text} was heard so far`);
  return agent;
}
