import * as z from "zod";
import type { Agent } from "../fleet/agent.ts";
import { remoteConfigStatusName } from "../fleet/status-names.ts";
import { fleetQuestions, isSo } from "../offers/fleet-questions.ts";
import type { Assigned } from "../offers/offering.ts";
import type { AgentsApi } from "./agents.ts";
import type { Api } from "./api.ts";
import { isoTime } from "./iso-time.ts";
import {
  overviewParameters,
  overviewSchema,
  rowParameters,
  type rowSchema,
  rowsSchema,
} from "./overview-schema.ts";
import { selectorFrom } from "./selector-query.ts";

type Row = z.infer<typeof rowSchema>;
type RowQuery = z.infer<z.ZodObject<typeof rowParameters>>;

/** Groups beyond these are left out: nobody reads them. */
const maxGroups = 50;

/** The fleet at a glance, and any window of it in any order: what a screen shows of thousands. */
export function overviewRoutes(api: Api, { fleet, offering }: Pick<AgentsApi, "fleet" | "offering">): void {
  api.get(
    "/api/v1/overview",
    {
      schema: {
        tags: ["agents"],
        summary: "The fleet in figures",
        querystring: z.strictObject(overviewParameters),
        response: { 200: overviewSchema },
      },
    },
    async ({ query }) =>
      overviewOf(fleet.list(selectorFrom(query.selector)), (agent) => offering.assignedTo(agent)),
  );

  api.get(
    "/api/v1/overview/agents",
    {
      schema: {
        tags: ["agents"],
        summary: "A window of the agents, sorted, each in short",
        description: "For tables that are scrolled; a script that wants them all reads GET /api/v1/agents.",
        querystring: z.strictObject(rowParameters),
        response: { 200: rowsSchema },
      },
    },
    async ({ query }) => {
      const found = fleet.list(selectorFrom(query.selector)).filter((agent) => passes(agent, query));
      const { is } = query;
      const wanted =
        is === undefined ? found : found.filter((agent) => isSo(is, agent, offering.assignedTo(agent)));
      const sorted = sortedBy(wanted, query);
      const rows = sorted.slice(query.offset, query.offset + query.limit);
      return { total: wanted.length, rows: rows.map((agent) => rowOf(agent, offering.assignedTo(agent))) };
    },
  );
}

function overviewOf(
  agents: readonly Agent[],
  assignedTo: (agent: Agent) => Assigned,
): z.infer<typeof overviewSchema> {
  const counts = { agents: agents.length, ...zeroes };
  const versions = new Map<string | null, number>();
  const configurations = new Map<string | null, { agents: number; drifting: number }>();
  for (const agent of agents) {
    const assigned = assignedTo(agent);
    for (const question of fleetQuestions) if (isSo(question, agent, assigned)) counts[question] += 1;
    const version = versionOf(agent);
    versions.set(version, (versions.get(version) ?? 0) + 1);
    const hash = agent.appliedHash ?? null;
    const known = configurations.get(hash) ?? { agents: 0, drifting: 0 };
    known.agents += 1;
    if (isSo("drifting", agent, assigned)) known.drifting += 1;
    configurations.set(hash, known);
  }
  return {
    counts,
    versions: mostFirst([...versions].map(([version, count]) => ({ version, agents: count }))),
    configurations: mostFirst([...configurations].map(([config_hash, each]) => ({ config_hash, ...each }))),
  };
}

const zeroes = Object.fromEntries(fleetQuestions.map((question) => [question, 0])) as Record<
  (typeof fleetQuestions)[number],
  number
>;

function mostFirst<T extends { agents: number }>(groups: T[]): T[] {
  return groups.sort((a, b) => b.agents - a.agents).slice(0, maxGroups);
}

function passes(agent: Agent, { config_hash, version }: RowQuery): boolean {
  if (version !== undefined && (versionOf(agent) ?? "") !== version) return false;
  return config_hash === undefined || (agent.appliedHash ?? "") === config_hash;
}

const sortKeys: Readonly<Record<RowQuery["sort"], (agent: Agent) => string | number>> = {
  name: nameOf,
  version: (agent) => versionOf(agent) ?? "",
  config_hash: ({ appliedHash }) => appliedHash ?? "",
  // What needs somebody comes first.
  state: ({ presence, state }) =>
    presence.t === "gone" ? 1 : state.health?.healthy === false ? 0 : state.health === undefined ? 2 : 3,
  last_seen: ({ lastSeen }) => lastSeen,
};

/** By the key, then by name, then by instance UID, so that two windows never show the same Agent twice. */
function sortedBy(agents: readonly Agent[], { order, sort }: Pick<RowQuery, "order" | "sort">): Agent[] {
  const keyOf = sortKeys[sort];
  const direction = order === "ascending" ? 1 : -1;
  const keyed = agents.map((agent) => ({ agent, key: keyOf(agent), name: nameOf(agent) }));
  keyed.sort(
    (a, b) => direction * compare(a.key, b.key) || compare(a.name, b.name) || compare(a.agent.id, b.agent.id),
  );
  return keyed.map(({ agent }) => agent);
}

function compare(a: string | number, b: string | number): number {
  if (a === b) return 0;
  return typeof a === "string" && typeof b === "string" ? naturally.compare(a, b) : a < b ? -1 : 1;
}

/** edge-9 before edge-10. */
const naturally = new Intl.Collator("en", { numeric: true });

function nameOf({ id, labels }: Agent): string {
  const names = [labels["host.name"], labels["service.instance.id"], labels["service.name"]];
  return names.find((name) => name !== undefined && name !== "") ?? id;
}

function versionOf({ labels }: Agent): string | null {
  return labels["service.version"] ?? null;
}

function rowOf(agent: Agent, assigned: Assigned): Row {
  const { health, remoteConfigStatus } = agent.state;
  return {
    id: agent.id,
    name: nameOf(agent),
    connected: agent.presence.t !== "gone",
    healthy: health?.healthy ?? null,
    status: [health?.status, health?.lastError].filter(Boolean).join(": "),
    version: versionOf(agent),
    config_hash: agent.appliedHash ?? null,
    desired_config_hash: assigned.configuration?.desired.hashHex ?? null,
    config_status:
      remoteConfigStatus === undefined ? null : remoteConfigStatusName(remoteConfigStatus.status),
    drifting: isSo("drifting", agent, assigned),
    failed: isSo("failed", agent, assigned),
    labels: agent.labels,
    last_seen: isoTime(agent.lastSeen),
  };
}
