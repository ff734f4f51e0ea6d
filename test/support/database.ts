import { onTestFinished } from "vitest";
import { type Database, openMemory } from "../../src/server/storage/database.ts";

/** An empty database of the newest schema, for this test alone. */
export async function testDatabase(): Promise<Database> {
  const database = await openMemory();
  onTestFinished(() => database.close());
  return database;
}
