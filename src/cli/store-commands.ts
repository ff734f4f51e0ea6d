import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { systemClock } from "../foundation/clock.ts";
import { describeError } from "../foundation/errors.ts";
import { silentLogger } from "../foundation/logger.ts";
import { loadServerSettings } from "../server/settings/load.ts";
import type { StorageSettings } from "../server/settings/server-settings.ts";
import { restoreBackup } from "../server/storage/backup/restore.ts";
import { saveBackup } from "../server/storage/backup/save.ts";
import { openDatabase } from "../server/storage/database.ts";
import { databaseNow } from "../server/storage/database-time.ts";
import { openToRead } from "../server/storage/open-to-read.ts";
import { StorageError } from "../server/storage/storage-error.ts";
import { exitCode, UsageError } from "./command-line.ts";

export const storeCommandNames = ["backup", "restore"] as const;
type StoreCommandName = (typeof storeCommandNames)[number];

const usage: Readonly<Record<StoreCommandName, string>> = {
  backup: `Usage: opamp-server backup FILE --config server.yaml [--force]

Writes all that the database knows into FILE, of which only its owner can read. The server may be running.
It can be restored into the embedded database or into PostgreSQL, whichever it came from.

Options:
  --config FILE  settings of the server, which say where the database is
  --force        replace FILE if it is there
`,
  restore: `Usage: opamp-server restore FILE --config server.yaml [--force]

Fills an empty database with a backup; no server may be running on it. If anything is wrong, nothing is changed.

Options:
  --config FILE  settings of the server, which say where the database is
  --force        replace what is in the database
`,
};

/** Runs one of them and resolves to the exit code. @throws UsageError, SettingsError */
export async function runStoreCommand(name: StoreCommandName, args: readonly string[]): Promise<number> {
  const { values, positionals } = parse(args);
  if (values.help === true) {
    process.stdout.write(usage[name]);
    return exitCode.ok;
  }
  const [file, ...more] = positionals;
  if (file === undefined || more.length > 0) throw new UsageError(`${name} needs one FILE`);
  if (values.config === undefined) throw new UsageError(`${name} needs --config FILE: where the database is`);
  const { storage } = loadServerSettings(values.config).settings;
  try {
    const work = name === "backup" ? backup : restore;
    const rows = await work(storage, file, values.force ?? false);
    process.stdout.write(`${file}: ${rows} rows ${name === "backup" ? "saved" : "restored"}\n`);
    return exitCode.ok;
  } catch (error) {
    process.stderr.write(`opamp-server ${name}: ${describeError(error)}\n`);
    return exitCode.failed;
  }
}

async function backup(storage: StorageSettings, file: string, force: boolean): Promise<number> {
  if (existsSync(file) && !force)
    throw new StorageError(`${file} is there already: name another, or use --force`);
  const database = await openToRead(storage, { clock: systemClock, log: silentLogger });
  try {
    return await saveBackup(database, file, systemClock);
  } finally {
    await database.close();
  }
}

async function restore(storage: StorageSettings, file: string, force: boolean): Promise<number> {
  if (!existsSync(file)) throw new StorageError(`there is no ${file}`);
  const database = await openDatabase(storage, { clock: systemClock, log: silentLogger });
  try {
    const now = await databaseNow(database, database.query, systemClock);
    return await restoreBackup(database, file, { force, now });
  } finally {
    await database.close();
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        config: { type: "string" },
        force: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    throw new UsageError(describeError(error));
  }
}
