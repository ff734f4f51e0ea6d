import { create } from "@bufbuild/protobuf";
import { sql } from "kysely";
import { describe, expect, it } from "vitest";
import { formatInstanceUid } from "../../../../src/opamp/instance-uid.ts";
import { AgentToServerSchema } from "../../../../src/opamp/messages.ts";
import type { Connection } from "../../../../src/server/fleet/agent.ts";
import { Fleet } from "../../../../src/server/fleet/fleet.ts";
import { FleetWriter } from "../../../../src/server/fleet/fleet-writer.ts";
import { Forgetting } from "../../../../src/server/fleet/forgetting.ts";
import { testDatabase } from "../../../support/database.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { LogBook, testEvents } from "../test-server.ts";

const connection: Connection = {
  id: 1,
  transport: "websocket",
  context: { by: "nothing", credential: undefined, uid: undefined },
  remoteAddress: "10.0.0.1",
  headers: {},
  send: () => false,
  close: () => undefined,
  ping: () => Promise.reject(new Error("not in this test")),
};

const uid = (index: number) =>
  new Uint8Array(16)
    .fill(7)
    .fill(index % 256, 0, 1)
    .fill(index >> 8, 1, 2);
const first = (index: number) =>
  create(AgentToServerSchema, { instanceUid: uid(index), agentDescription: {}, effectiveConfig: {} });
const heartbeat = (index: number, sequence: bigint) =>
  create(AgentToServerSchema, { instanceUid: uid(index), sequenceNum: sequence });

async function rig() {
  const database = await testDatabase();
  const clock = new ManualClock();
  const log = new LogBook();
  const writer = new FleetWriter({ database, clock, log, replica: "r1", onWritten: () => undefined });
  const fleet = new Fleet({
    clock,
    log,
    events: testEvents(),
    pollTimeoutMs: 90_000,
    operatorLabels: { get: () => ({}) },
    observer: writer,
  });
  writer.attach(fleet);
  const agents = () => database.query.selectFrom("agents").selectAll().execute();
  const contacts = () => database.query.selectFrom("agent_contacts").selectAll().execute();
  return { database, clock, log, writer, fleet, agents, contacts };
}

describe("FleetWriter", () => {
  it("writes what changed within a second together, in transactions of a thousand", async () => {
    const { agents, contacts, fleet, writer } = await rig();
    for (let index = 0; index < 2_500; index += 1) fleet.heard(connection, first(index));
    await writer.flush();
    expect(await contacts()).toHaveLength(2_500);
    const revisions = Map.groupBy(await agents(), ({ revision }) => revision);
    expect([...revisions].map(([revision, rows]) => [revision, rows.length])).toEqual([
      [1, 1_000],
      [2, 1_000],
      [3, 500],
    ]);
  });

  it("writes of a heartbeat only when it was, and seldom", async () => {
    const { agents, clock, contacts, fleet, writer } = await rig();
    fleet.heard(connection, first(1));
    await writer.flush();
    const [row] = await agents();
    clock.advance(30_000);
    fleet.heard(connection, heartbeat(1, 1n));
    clock.advance(30_000);
    fleet.heard(connection, heartbeat(1, 2n));
    const [before] = await contacts();
    expect(before).toMatchObject({ sequence_num: "0" });
    await writer.flush();
    expect(await contacts()).toMatchObject([{ sequence_num: "2", last_seen: clock.now() }]);
    expect(await agents()).toEqual([row]);
  });

  it("loses nothing when the database takes no writes for a while, and says so once", async () => {
    const { agents, clock, database, fleet, log, writer } = await rig();
    await sql`alter table agent_documents rename to elsewhere`.execute(database.query);
    fleet.heard(connection, first(1));
    await writer.flush();
    await writer.flush();
    expect(log.of("storage_write_failed")).toHaveLength(1);
    expect(await agents()).toEqual([]);
    await sql`alter table elsewhere rename to agent_documents`.execute(database.query);
    const again = log.seen("storage_written_again");
    clock.advance(5_000);
    await again;
    expect(await agents()).toMatchObject([{ uid: formatInstanceUid(uid(1)), replica: "r1" }]);
    expect(await database.query.selectFrom("agent_documents").select("part").execute()).toEqual([
      { part: "effectiveConfig" },
    ]);
  });
});

describe("Forgetting", () => {
  it("forgets who is gone for long, and nobody else", async () => {
    const { agents, clock, contacts, database, fleet, log, writer } = await rig();
    for (const index of [1, 2, 3]) fleet.heard(connection, first(index));
    fleet.gone(fleet.get(formatInstanceUid(uid(1)))!, "said good-bye");
    clock.advance(2_000);
    fleet.gone(fleet.get(formatInstanceUid(uid(2)))!, "said good-bye");
    await writer.flush();
    const forgetting = new Forgetting({ fleet, database, clock, log, afterMs: 1_000 });
    await forgetting.close();
    const left = [uid(2), uid(3)].map(formatInstanceUid);
    expect(fleet.list().map(({ id }) => id)).toEqual(left);
    expect((await agents()).map((row) => row.uid)).toEqual(left);
    expect((await contacts()).map((row) => row.uid)).toEqual(left);
  });
});
