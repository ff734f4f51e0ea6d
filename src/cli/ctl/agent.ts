import type * as z from "zod";
import { agentDetailSchema, type HealthView } from "../../server/api/agent-schema.ts";
import { exitCode } from "../command-line.ts";
import { formatTime, plainLine, shortHash } from "../plain-text.ts";
import { formatLines } from "../status-text.ts";
import type { ApiClient } from "./api-client.ts";
import { type CtlCommand, onlyArgument } from "./ctl-command.ts";

type AgentDetail = z.infer<typeof agentDetailSchema>;

export const agentCommand: CtlCommand = {
  usage: "agent UID",
  summary: "show one agent",
  async run({ api, json, now, print }, call) {
    const agent = await getAgent(api, onlyArgument(call, "UID"));
    if (json) print(JSON.stringify(agent));
    else for (const line of formatLines(linesOf(agent, now()))) print(line);
    return exitCode.ok;
  },
};

/** Everything that is known of an agent. @throws ApiError */
export async function getAgent(api: ApiClient, uid: string): Promise<AgentDetail> {
  return agentDetailSchema.loose().parse(await api.call(`/api/v1/agents/${encodeURIComponent(uid)}`));
}

function linesOf(agent: AgentDetail, now: number): [string, string][] {
  const { remote_config_status: answer, desired_config_hash: desired } = agent;
  const packages = Object.entries(agent.packages ?? {});
  return [
    ["Agent", plainLine(agent.id)],
    ["State", `${agent.connected ? "connected" : "gone"}, last seen ${formatTime(agent.last_seen, now)}`],
    ["Connection", `${agent.transport} from ${plainLine(agent.remote_addr)}`],
    ["Version", plainLine(agent.version ?? "unknown")],
    ["Health", describeHealth(agent.health)],
    ...unhealthyParts(agent.health).map((text): [string, string] => ["", text]),
    ["Runs", agent.config_hash === null ? "no remote configuration" : shortHash(agent.config_hash)],
    ["Is to run", desired === null ? "nothing was pushed for it" : shortHash(desired)],
    ["Last answer", answer === null ? "none" : plainLine(describeAnswer(answer))],
    ...packages.map(([name, each]): [string, string] => [
      "Package",
      plainLine(`${name} ${each.version ?? "none"}: ${each.status}${each.error ? `, ${each.error}` : ""}`),
    ]),
    ...Object.entries(agent.labels).map(([key, value]): [string, string] => [
      "Label",
      plainLine(`${key}=${value}`),
    ]),
    ["Can", agent.capabilities.map(plainLine).join(", ")],
  ];
}

function describeHealth(health: HealthView | null): string {
  if (health === null) return "it does not say";
  const error = health.last_error === undefined ? "" : `: ${plainLine(health.last_error)}`;
  return `${health.healthy ? "healthy" : "UNHEALTHY"} ${plainLine(health.status)}${error}`.trimEnd();
}

function unhealthyParts(health: HealthView | null, path: readonly string[] = []): string[] {
  return Object.entries(health?.components ?? {}).flatMap(([name, part]) => {
    const here = [...path, name];
    const own = part.healthy ? [] : [`${plainLine(here.join(" / "))}: ${describeHealth(part)}`];
    return [...own, ...unhealthyParts(part, here)];
  });
}

function describeAnswer({ status, hash, error }: NonNullable<AgentDetail["remote_config_status"]>): string {
  return `${status} for ${shortHash(hash)}${error === undefined ? "" : `: ${error}`}`;
}
