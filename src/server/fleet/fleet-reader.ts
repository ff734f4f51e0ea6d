import { setImmediate as nextTurn } from "node:timers/promises";
import { zstdDecompressSync } from "node:zlib";
import type { Kysely } from "kysely";
import type { Tables } from "../storage/tables.ts";
import type { Agent } from "./agent.ts";
import { type Documents, decodeDocument, fromRow } from "./agent-record.ts";
import type { AgentDocumentsTable } from "./tables.ts";

/** Rows of one query. */
const agentsAtATime = 100;

/**
 * Every Agent that is stored, in the order first heard. Who was connected to a replica that `isAlive` does not
 * know is gone.
 */
export async function readFleet(
  query: Kysely<Tables>,
  isAlive: (replica: string) => boolean,
): Promise<Agent[]> {
  const agents: Agent[] = [];
  for (let after = ""; ; ) {
    const rows = await query
      .selectFrom("agents")
      .select("uid")
      .where("uid", ">", after)
      .orderBy("uid")
      .limit(agentsAtATime)
      .execute();
    const last = rows.at(-1);
    if (last === undefined) return agents.sort((a, b) => a.firstSeen - b.firstSeen);
    after = last.uid;
    const uids = rows.map(({ uid }) => uid);
    for (const agent of await readAgents(query, uids, () => undefined)) {
      agents.push(withoutDead(agent, isAlive));
    }
    await nextTurn();
  }
}

/** Gone, when it was connected to a replica that is dead. */
export function withoutDead(agent: Agent, isAlive: (replica: string) => boolean): Agent {
  const { lastSeen, presence } = agent;
  if (presence.t !== "elsewhere" || isAlive(presence.replica)) return agent;
  return { ...agent, presence: { t: "gone", since: lastSeen, reason: "its server ended" } };
}

/** These Agents as they are stored; without those that are not. */
export async function readAgents(
  query: Kysely<Tables>,
  uids: readonly string[],
  known: (uid: string) => Agent | undefined,
): Promise<Agent[]> {
  if (uids.length === 0) return [];
  const rows = await query
    .selectFrom("agents")
    .innerJoin("agent_contacts", "agent_contacts.uid", "agents.uid")
    .selectAll("agents")
    .select(["agent_contacts.last_seen", "agent_contacts.sequence_num"])
    .where("agents.uid", "in", uids)
    .orderBy("agents.first_seen")
    .execute();
  const documents = await query.selectFrom("agent_documents").selectAll().where("uid", "in", uids).execute();
  const byUid = Map.groupBy(documents, ({ uid }) => uid);
  return rows.map((row) => fromRow(row, documentsOf(byUid.get(row.uid) ?? []), known(row.uid)));
}

function documentsOf(rows: readonly AgentDocumentsTable[]): Documents {
  const decoded = rows.map(
    ({ body, part }) => [part, decodeDocument(part, new Uint8Array(zstdDecompressSync(body)))] as const,
  );
  return Object.fromEntries(decoded) as Documents;
}
