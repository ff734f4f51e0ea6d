import { existsSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, it, onTestFinished } from "vitest";
import { everyAgent } from "../../../../src/opamp/selector.ts";
import { RuleBook } from "../../../../src/server/offers/rule-book.ts";
import { restoreBackup } from "../../../../src/server/storage/backup/restore.ts";
import { saveBackup } from "../../../../src/server/storage/backup/save.ts";
import { type Database, openMemory } from "../../../../src/server/storage/database.ts";
import { testDatabase } from "../../../support/database.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { tempDir } from "../../../support/temp-dir.ts";
import { yaml } from "../test-server.ts";

const clock = new ManualClock();
const open = (database: Database) =>
  RuleBook.open({ database, clock, reach: { includes: () => false }, onWritten: () => undefined });
const agent = { id: "1", labels: {} };

/** A database with a rule in it, and its backup. */
async function saved() {
  const database = await testDatabase();
  await (await open(database)).issue([
    { kind: "configuration", selector: everyAgent, desired: yaml("a: 1") },
  ]);
  const path = join(tempDir(), "backup");
  const rows = await saveBackup(database, path, clock);
  return { path, rows, lines: gunzipSync(readFileSync(path)).toString().trimEnd().split("\n") };
}

const options = { force: false, now: clock.now() };

describe("a backup", () => {
  it("brings all of it into another database, which goes on from there", async () => {
    const { path, rows } = await saved();
    const empty = await testDatabase();
    expect(await restoreBackup(empty, path, options)).toBe(rows);
    const book = await open(empty);
    expect(book.newestFor("configuration", agent)?.desired.hashHex).toBe(yaml("a: 1").hashHex);
    expect(
      await book.issue([{ kind: "configuration", selector: everyAgent, desired: yaml("a: 2") }]),
    ).toEqual([2]);
  });

  it("can be read by its owner only", async () => {
    const { path } = await saved();
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it("leaves nothing behind when it cannot be made", async () => {
    const database = await openMemory();
    await database.close();
    const path = join(tempDir(), "backup");
    await expect(saveBackup(database, path, clock)).rejects.toThrow(/destroyed/);
    expect([path, `${path}.part`].some(existsSync)).toBe(false);
  });
});

describe("restoreBackup", () => {
  it("does not replace what is there, unless told to", async () => {
    const { path } = await saved();
    const full = await testDatabase();
    const book = await open(full);
    await book.issue([{ kind: "configuration", selector: everyAgent, desired: yaml("b: 1") }]);
    await book.issue([{ kind: "configuration", selector: everyAgent, desired: yaml("b: 2") }]);
    await expect(restoreBackup(full, path, options)).rejects.toThrow(
      /is not empty \(table rules has rows\).*--force/,
    );
    expect((await open(full)).newestFor("configuration", agent)?.number).toBe(2);
    await restoreBackup(full, path, { ...options, force: true });
    expect((await open(full)).newestFor("configuration", agent)?.number).toBe(1);
  });

  it.each([
    ["cut short", (lines: string[]) => lines.slice(0, -1), /cut short or damaged after \d+ rows/],
    [
      "without a row",
      (lines: string[]) =>
        lines.toSpliced(
          lines.findIndex((line) => line.startsWith('{"row"')),
          1,
        ),
      /is damaged: it has \d+ rows of \d+/,
    ],
    ["of something else", () => ['{"format":"other"}'], /is no backup of opamp-server/],
    [
      "of a newer program",
      (lines: string[]) => [lines[0]!.replace('"steps":[', '"steps":["999-future",'), ...lines.slice(1)],
      /newer opamp-server \(schema 999-future\): restore it with that version/,
    ],
  ])("changes nothing for a file %s", async (_what, spoil, message) => {
    const { path, lines } = await saved();
    writeFileSync(path, gzipSync(`${spoil(lines).join("\n")}\n`));
    const full = await testDatabase();
    await (await open(full)).issue([{ kind: "configuration", selector: everyAgent, desired: yaml("b: 1") }]);
    await expect(restoreBackup(full, path, { ...options, force: true })).rejects.toThrow(message);
    expect((await open(full)).newestFor("configuration", agent)?.desired.hashHex).toBe(yaml("b: 1").hashHex);
  });

  it("changes nothing for a file whose end is missing", async () => {
    const { path } = await saved();
    truncateSync(path, statSync(path).size - 20);
    const full = await testDatabase();
    await expect(restoreBackup(full, path, options)).rejects.toThrow(/cannot be read|cut short/);
    expect(await full.query.selectFrom("rules").selectAll().execute()).toEqual([]);
  });

  it("keeps away from a database on which a server runs", async () => {
    const { path } = await saved();
    const used = await openMemory();
    onTestFinished(() => used.close());
    const row = { id: "r", host: "db-1", started_at: 0, expires_at: clock.now() + 1 };
    await used.query.insertInto("replicas").values(row).execute();
    await expect(restoreBackup(used, path, options)).rejects.toThrow(
      /in use by opamp-server on db-1: stop it/,
    );
  });
});
