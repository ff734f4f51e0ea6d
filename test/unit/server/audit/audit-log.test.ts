import { describe, expect, it } from "vitest";
import { AuditLog, type AuditRecord } from "../../../../src/server/audit/audit-log.ts";
import { testDatabase } from "../../../support/database.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

const record = (target: string): AuditRecord => ({
  actor: "ann",
  by: "oidc",
  role: "admin",
  address: "127.0.0.1",
  action: "POST /api/v1/config",
  target,
  outcome: "done",
  after: { matched: 3 },
});

async function written(count: number) {
  const database = await testDatabase();
  const audit = new AuditLog({ database, clock: new ManualClock() });
  await Promise.all(Array.from({ length: count }, (_each, index) => audit.append(record(`target ${index}`))));
  return { database, audit };
}

describe("the audit log", () => {
  it("numbers what is written at the same time, without a gap", async () => {
    const { audit } = await written(20);
    const entries = await audit.list({ limit: 100 });
    expect(entries.map(({ number }) => number)).toEqual(
      Array.from({ length: 20 }, (_each, index) => 20 - index),
    );
    expect(await audit.verify()).toBeUndefined();
  });

  it.each([
    ["a changed target", { target: "something else" }],
    ["a changed time", { at: 1 }],
    ["a changed actor", { actor: "bob" }],
    ["an added reason", { reason: "was asked to" }],
  ])("tells of %s", async (_case, change) => {
    const { database, audit } = await written(5);
    await database.query.updateTable("audit").set(change).where("number", "=", 3).execute();
    expect(await audit.verify()).toBe(3);
  });

  it("tells of an entry that was taken out", async () => {
    const { database, audit } = await written(5);
    await database.query.deleteFrom("audit").where("number", "=", 2).execute();
    expect(await audit.verify()).toBe(3);
  });
});
