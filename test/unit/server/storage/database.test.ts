import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sql } from "kysely";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../../../src/foundation/clock.ts";
import { silentLogger } from "../../../../src/foundation/logger.ts";
import { type Database, openDatabase } from "../../../../src/server/storage/database.ts";
import { testDatabase } from "../../../support/database.ts";
import { tempDir } from "../../../support/temp-dir.ts";
import { LogBook } from "../test-server.ts";

const open = (directory: string) =>
  openDatabase({ directory, postgresUrl: undefined }, { clock: systemClock, log: silentLogger });

const groups = (database: Database) =>
  database.query.selectFrom("agent_groups").select(["name", "priority"]).execute();

const group = (name: string, priority = 1) => ({
  name,
  priority,
  selector: "",
  description: "",
  created_at: 0,
  updated_at: 0,
});

describe("openDatabase", () => {
  it("makes its directory, and finds there what an earlier run wrote", async () => {
    const directory = join(tempDir(), "new", "folder");
    const first = await open(directory);
    await first.query
      .insertInto("agent_groups")
      .values(group("agents", 2 ** 40))
      .execute();
    await first.close();
    const second = await open(directory);
    expect(await groups(second)).toEqual([{ name: "agents", priority: 2 ** 40 }]);
    await second.close();
  });

  it("refuses a directory that it cannot write to, and names the setting", async () => {
    const file = join(tempDir(), "file");
    writeFileSync(file, "");
    await expect(open(file)).rejects.toThrow(/^storage\.directory .*file cannot be written to: let the user/);
  });

  it("refuses a directory that another server has, and leaves it alone", async () => {
    const directory = tempDir();
    const first = await open(directory);
    await expect(open(directory)).rejects.toThrow(/is in use by another opamp-server: stop it/);
    await first.query.insertInto("agent_groups").values(group("agents", 1)).execute();
    await first.close();
    const second = await open(directory);
    expect(await groups(second)).toHaveLength(1);
    await second.close();
  });

  it("refuses a file that is no database, and does not touch it", async () => {
    const directory = tempDir();
    const file = join(directory, "opamp-server.db");
    writeFileSync(file, "no database, but long enough to be looked at ".repeat(100));
    const before = readFileSync(file);
    await expect(open(directory)).rejects.toThrow(/damaged: move opamp-server\.db\* away and restore/);
    expect(readFileSync(file)).toEqual(before);
  });

  it("refuses a database that a newer program wrote, and changes nothing", async () => {
    const directory = tempDir();
    const first = await open(directory);
    await sql`insert into schema_steps (name, timestamp) values ('999-from-the-future', '')`.execute(
      first.query,
    );
    await first.close();
    const before = readFileSync(join(directory, "opamp-server.db"));
    await expect(open(directory)).rejects.toThrow(
      /written by a newer opamp-server \(schema 999-from-the-future\): run that version/,
    );
    expect(readFileSync(join(directory, "opamp-server.db"))).toEqual(before);
  });

  it("says that nothing is kept when no setting names a place", async () => {
    const log = new LogBook();
    const database = await openDatabase(
      { directory: undefined, postgresUrl: undefined },
      { clock: systemClock, log },
    );
    await database.close();
    expect(log.of("storage_in_memory")).toHaveLength(1);
  });
});

describe("transaction", () => {
  it("undoes all of it when its work fails", async () => {
    const database = await testDatabase();
    const work = database.transaction(async (transaction) => {
      await transaction.insertInto("agent_groups").values(group("agents", 1)).execute();
      throw new Error("no");
    });
    await expect(work).rejects.toThrow("no");
    expect(await groups(database)).toEqual([]);
  });

  it("keeps what others do meanwhile out of it", async () => {
    const database = await testDatabase();
    const failing = database.transaction(async (transaction) => {
      await transaction.insertInto("agent_groups").values(group("inside", 1)).execute();
      throw new Error("no");
    });
    const outside = database.query.insertInto("agent_groups").values(group("outside", 1)).execute();
    await expect(failing).rejects.toThrow("no");
    await outside;
    expect(await groups(database)).toEqual([{ name: "outside", priority: 1 }]);
  });
});

describe("bytes", () => {
  it("come back as they were", async () => {
    const { query } = await testDatabase();
    const body = Uint8Array.from([0, 255, 1, 254]);
    await query.insertInto("configurations").values({ hash: "ab", body, created_at: 1 }).execute();
    const [row] = await query.selectFrom("configurations").select("body").execute();
    expect(Buffer.from(row!.body)).toEqual(Buffer.from(body));
  });
});
