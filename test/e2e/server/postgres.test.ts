import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/foundation/clock.ts";
import { silentLogger } from "../../../src/foundation/logger.ts";
import { openDatabase } from "../../../src/server/storage/database.ts";
import { postgresObstacle, startPostgres, type TestPostgres } from "../../support/postgres.ts";

const cannot = process.env.CI === undefined && postgresObstacle !== undefined;

const open = (postgresUrl: string) =>
  openDatabase({ directory: undefined, postgresUrl }, { clock: systemClock, log: silentLogger });

describe.skipIf(cannot)("storage.postgres_url", () => {
  let postgres: TestPostgres;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(() => postgres[Symbol.asyncDispose]());

  it("makes the tables once, also when two servers start at the same time", async () => {
    const url = await postgres.freshDatabase();
    const [first, second] = await Promise.all([open(url), open(url)]);
    const row = { hash: "ab", body: Buffer.from([0, 255]), created_at: 2 ** 40, secrets: null };
    await first.query.insertInto("configurations").values(row).execute();
    expect(await second.query.selectFrom("configurations").selectAll().execute()).toEqual([row]);
    await Promise.all([first.close(), second.close()]);
  });

  it("refuses a wrong password, names the setting, and shows no password", async () => {
    const url = new URL(await postgres.freshDatabase());
    url.password = "hunter2";
    const refused = open(url.href);
    await expect(refused).rejects.toThrow(
      /^storage\.postgres_url \(127\.0\.0\.1:\d+\/test_\w+\) refuses the password: check/,
    );
    await expect(refused).rejects.not.toThrow(/hunter2/);
  });

  it("refuses a database or a server that is not there, and says what to do", async () => {
    const url = new URL(await postgres.freshDatabase());
    url.pathname = "/nowhere";
    await expect(open(url.href)).rejects.toThrow(/has no database of that name: create it/);
    url.port = "1";
    await expect(open(url.href)).rejects.toThrow(/cannot be reached: check that PostgreSQL runs/);
  });

  it("refuses a database that a newer program wrote, and changes nothing", async () => {
    const url = await postgres.freshDatabase();
    const first = await open(url);
    await sql`insert into schema_steps (name, timestamp) values ('999-future', '')`.execute(first.query);
    await expect(open(url)).rejects.toThrow(/written by a newer opamp-server \(schema 999-future\)/);
    await first.close();
  });
});
