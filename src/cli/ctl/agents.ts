import * as z from "zod";
import { agentSummarySchema } from "../../server/api/agent-schema.ts";
import { exitCode } from "../command-line.ts";
import { formatDuration, shortHash } from "../plain-text.ts";
import type { ApiClient } from "./api-client.ts";
import { type CtlCommand, selectorArgument } from "./ctl-command.ts";
import { formatTable } from "./table.ts";

type AgentSummary = z.infer<typeof agentSummarySchema>;

const pageSize = "1000";
const pageSchema = z.object({ agents: z.array(agentSummarySchema.loose()), next: z.string().optional() });

export const agentsCommand: CtlCommand = {
  usage: "agents [SELECTOR]",
  summary: "list the agents, all or those of the selector",
  options: {
    group: { type: "string", help: "NAME      those of this group" },
    connected: { type: "boolean", help: "      only those that are connected" },
    gone: { type: "boolean", help: "           only those that are not" },
    unhealthy: { type: "boolean", help: "      only those that say they are not healthy" },
  },
  async run({ api, json, now, print }, call) {
    const agents = await listAgents(api, {
      selector: selectorArgument(call),
      group: call.text("group"),
      connected: call.has("connected") ? "true" : call.has("gone") ? "false" : undefined,
      healthy: call.has("unhealthy") ? "false" : undefined,
    });
    if (json) {
      print(JSON.stringify({ agents }));
      return exitCode.ok;
    }
    const heading = ["AGENT", "HOST", "VERSION", "STATE", "HEALTH", "CONFIG", "LAST OFFER", "SEEN"];
    const rows = agents.map((agent) => rowOf(agent, now()));
    for (const line of formatTable(heading, rows)) print(line);
    return exitCode.ok;
  },
};

/** Page by page: what one answer would hold is as long as the fleet. */
async function listAgents(
  api: ApiClient,
  query: Readonly<Record<string, string | undefined>>,
): Promise<AgentSummary[]> {
  const agents: AgentSummary[] = [];
  let cursor: string | undefined;
  do {
    const answer = await api.call("/api/v1/agents", { query: { ...query, limit: pageSize, cursor } });
    const page = pageSchema.parse(answer);
    agents.push(...page.agents);
    cursor = page.next;
  } while (cursor !== undefined);
  return agents;
}

function rowOf(agent: AgentSummary, now: number): string[] {
  const { id, labels, version, connected, health, config_hash, last_seen } = agent;
  return [
    id,
    labels["host.name"] ?? labels["service.instance.id"] ?? "-",
    version ?? "-",
    connected ? "connected" : "gone",
    health === null ? "-" : health.healthy ? "healthy" : "unhealthy",
    config_hash === null ? "-" : shortHash(config_hash),
    lastOffer(agent),
    `${formatDuration((now - Date.parse(last_seen)) / 1000)} ago`,
  ];
}

/** How the agent stands to what it is to run. */
function lastOffer({ config_hash, desired_config_hash, remote_config_status: answer }: AgentSummary): string {
  if (desired_config_hash === null) return "-";
  if (desired_config_hash === config_hash) return "applied";
  if (answer?.hash === desired_config_hash) return answer.status.toLowerCase();
  return "waiting";
}
