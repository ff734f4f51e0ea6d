import { describeError, errorCode } from "../../foundation/errors.ts";
import { StorageError } from "./storage-error.ts";

/** Where `storage.postgres_url` points, without user and password. */
export function describePostgres(url: string): string {
  const { host, pathname } = new URL(url);
  return `storage.postgres_url (${host === "" ? "localhost" : host}${pathname})`;
}

/** What to do, by PostgreSQL's SQLSTATE or Node's error code. */
const advice: Readonly<Record<string, string>> = {
  "28P01": "refuses the password: check the user and the password in the URL",
  "28000": "refuses this user: check the URL, and pg_hba.conf of PostgreSQL",
  "3D000": "has no database of that name: create it, or name another in the URL",
  "42501": "does not let this user create tables: make it the owner of the database",
  "53300": "has no connection to spare: raise max_connections of PostgreSQL",
  ECONNREFUSED: "cannot be reached: check that PostgreSQL runs and listens there",
  ENOTFOUND: "names a host that cannot be found: check the URL",
  ETIMEDOUT: "does not answer: check the URL and the firewalls on the way",
};

/** An error of opening the database as something an operator can act on. */
export function postgresProblem(place: string, error: unknown): StorageError {
  const code = errorCode(error) ?? errorCode((error as { cause?: unknown }).cause);
  const known = code === undefined ? undefined : advice[code];
  if (known !== undefined) return new StorageError(`${place} ${known}`, { cause: error });
  if (error instanceof StorageError) return error;
  return new StorageError(`${place}: ${describeError(error)}`);
}
