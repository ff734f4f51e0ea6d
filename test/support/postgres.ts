import { execFile, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { chownSync, existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { Client } from "pg";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";
import { makeTempDir } from "./temp-dir.ts";

const debianFolder = "/usr/lib/postgresql";
const password = "p@ss word";
/** PostgreSQL refuses to run as root; this is `nobody`. */
const nobody = { uid: 65_534, gid: 65_534 };

/** Why a PostgreSQL cannot be started here; undefined when it can. */
export const postgresObstacle: string | undefined =
  binFolder() === undefined ? "no PostgreSQL: apt-get install postgresql" : undefined;

/** A PostgreSQL of its own: own data, own port, stopped and removed with `await using`. */
export interface TestPostgres extends AsyncDisposable {
  /** The URL of a new, empty database. */
  freshDatabase(): Promise<string>;
  /** A SQL statement as superuser in the database `postgres`. */
  run(statement: string): Promise<void>;
  /** Kills it as a power cut would, and `start`s it again. */
  kill(): Promise<void>;
  start(): Promise<void>;
}

export async function startPostgres(): Promise<TestPostgres> {
  const bin = binFolder();
  if (bin === undefined) throw new Error(postgresObstacle);
  const dir = makeTempDir();
  const user = process.getuid?.() === 0 ? nobody : undefined;
  const data = join(dir.path, "data");
  const passwordFile = join(dir.path, "password");
  writeFileSync(passwordFile, password);
  if (user !== undefined) {
    chownSync(dir.path, user.uid, user.gid);
    chownSync(passwordFile, user.uid, user.gid);
  }
  const initialize = ["-D", data, "-U", "tester", "-A", "scram-sha-256", `--pwfile=${passwordFile}`];
  await promisify(execFile)(join(bin, "initdb"), [...initialize, "--no-sync", "-E", "UTF8"], user);
  const port = await freePort();
  const urlOf = (database: string) =>
    `postgres://tester:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`;

  const run = async (statement: string) => {
    const client = new Client({ connectionString: urlOf("postgres") });
    await client.connect();
    try {
      await client.query(statement);
    } finally {
      await client.end();
    }
  };
  const launch = async () => {
    const options = { port, listen_addresses: "127.0.0.1", unix_socket_directories: "", fsync: "off" };
    const settings = Object.entries(options).flatMap(([key, value]) => ["-c", `${key}=${value}`]);
    const child = spawn(join(bin, "postgres"), ["-D", data, ...settings], { ...user, stdio: "ignore" });
    await eventually("PostgreSQL answers", () => run("select 1").then(() => true)).catch((error: unknown) => {
      child.kill("SIGQUIT");
      throw error;
    });
    return child;
  };
  let child = await launch();
  const kill = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  };
  return {
    run,
    async freshDatabase() {
      const name = `test_${randomUUID().replaceAll("-", "")}`;
      await run(`create database ${name}`);
      return urlOf(name);
    },
    kill: () => kill("SIGQUIT"),
    async start() {
      child = await launch();
    },
    async [Symbol.asyncDispose]() {
      await kill("SIGQUIT");
      dir[Symbol.dispose]();
    },
  };
}

function binFolder(): string | undefined {
  if (!existsSync(debianFolder)) return undefined;
  const versions = readdirSync(debianFolder).sort((a, b) => Number(b) - Number(a));
  return versions
    .map((version) => join(debianFolder, version, "bin"))
    .find((bin) => existsSync(join(bin, "initdb")));
}
