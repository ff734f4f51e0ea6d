import { describe, expect, it, onTestFinished, vi } from "vitest";
import { Leadership, LeadershipLostError } from "../../../../src/server/replicas/leadership.ts";
import type { Database } from "../../../../src/server/storage/database.ts";
import { testDatabase } from "../../../support/database.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { LogBook } from "../test-server.ts";

async function candidate(database: Database, replica: string, clock = new ManualClock()) {
  const log = new LogBook();
  const leadership = new Leadership({ database, clock, log, replica, name: "rollouts" });
  onTestFinished(() => leadership.close());
  await leadership.start();
  return { leadership, clock, log };
}

const write = (database: Database, { leadership }: { leadership: Leadership }) =>
  database.transaction((transaction) => leadership.assertLeader(transaction));

describe("Leadership", () => {
  it("is held by one, whose writes it lets pass", async () => {
    const database = await testDatabase();
    const [first, second] = [await candidate(database, "a"), await candidate(database, "b")];
    expect([first, second].map(({ leadership }) => leadership.isLeader())).toEqual([true, false]);
    expect([first, second].map(({ leadership }) => leadership.fence)).toEqual([1, undefined]);
    await write(database, first);
    await expect(write(database, second)).rejects.toThrow(LeadershipLostError);
  });

  it("passes on at once when its holder is closed, under a higher number", async () => {
    const database = await testDatabase();
    const first = await candidate(database, "a");
    await first.leadership.close();
    const second = await candidate(database, "b");
    expect(second.leadership.fence).toBe(2);
  });

  it("passes on when its holder is held up, whose late write fails", async () => {
    const database = await testDatabase();
    // The clock of a process that is stopped does not move; the other's does.
    const stopped = await candidate(database, "a");
    const { leadership, clock, log } = await candidate(database, "b");
    // One try every five seconds, the next one five seconds after it has ended.
    const tryAgain = async (ms: number) => {
      clock.advance(ms);
      await vi.waitFor(() => expect(clock.pending).toHaveLength(1));
    };
    await tryAgain(10_000);
    expect(leadership.isLeader()).toBe(false);
    await tryAgain(5_001);
    expect(log.of("leadership_gained")).toHaveLength(1);
    expect(leadership.fence).toBe(2);
    await write(database, { leadership });
    await expect(write(database, stopped)).rejects.toThrow(LeadershipLostError);
  });

  it("ends by itself when the lease cannot be extended, before another can hold it", async () => {
    const database = await testDatabase();
    const { leadership, clock } = await candidate(database, "a");
    await database.query.schema.alterTable("leases").renameTo("elsewhere").execute();
    clock.advance(12_900);
    expect(leadership.isLeader()).toBe(true);
    clock.advance(200);
    expect(leadership.isLeader()).toBe(false);
    await database.query.schema.alterTable("elsewhere").renameTo("leases").execute();
  });
});
