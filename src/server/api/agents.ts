import { formatInstanceUid, parseInstanceUid } from "../../opamp/instance-uid.ts";
import type { AgentService } from "../agent-service.ts";
import type { Agent } from "../fleet/agent.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { Offering } from "../offers/offering.ts";
import { agentDetail, agentSummary } from "./agent-view.ts";
import { type ApiRequest, type ApiResult, knownQuery, ProblemError } from "./http.ts";
import { selectorFrom } from "./selector-query.ts";

export interface AgentsApi {
  fleet: Fleet;
  service: AgentService;
  offering: Offering;
}

/** `GET /agents`, all or those of `?selector=`. */
export function listAgents({ fleet, offering }: AgentsApi, request: ApiRequest): ApiResult {
  const query = knownQuery(request.query, ["selector"]);
  const agents = fleet
    .list(selectorFrom(query.selector))
    .map((agent) => agentSummary(agent, offering.assignedTo(agent)));
  return { status: 200, body: { agents } };
}

/** `GET /agents/{instance_uid}`. */
export function getAgent({ fleet, offering }: AgentsApi, request: ApiRequest): ApiResult {
  knownQuery(request.query, []);
  const agent = findAgent(fleet, request.params.instance_uid);
  return { status: 200, body: agentDetail(agent, offering.assignedTo(agent)) };
}

/** `POST /agents/{instance_uid}/restart`: 202, since only the Agent's next reports tell how it went. */
export function restartAgent({ fleet, service }: AgentsApi, request: ApiRequest): ApiResult {
  knownQuery(request.query, []);
  const agent = findAgent(fleet, request.params.instance_uid);
  const result = service.restart(agent);
  switch (result.t) {
    case "refused":
      throw new ProblemError(409, "Cannot restart", `agent ${agent.id}: ${result.reason}`);
    case "sent":
      return { status: 202, body: { id: agent.id, sent: true } };
    case "waits-for-poll":
      return { status: 202, body: { id: agent.id, sent: false, reason: "sent at its next poll" } };
  }
}

function findAgent(fleet: Fleet, text = ""): Agent {
  const uid = parseInstanceUid(text);
  if (uid === undefined) {
    throw new ProblemError(400, "Bad instance UID", `${JSON.stringify(text)} is not a UUID`);
  }
  const agent = fleet.get(formatInstanceUid(uid));
  if (agent === undefined) throw new ProblemError(404, "No such agent", `no agent ${text} was heard so far`);
  return agent;
}
