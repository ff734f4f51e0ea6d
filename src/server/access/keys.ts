import { randomUUID } from "node:crypto";
import type { Selectable } from "kysely";
import type { Clock } from "../../foundation/clock.ts";
import type { Database } from "../storage/database.ts";
import { hashSecret, newSecret } from "./credential.ts";
import type { AccessTables } from "./tables.ts";

/** A key as it is kept, without its secret. */
export type ApiKey = Omit<Selectable<AccessTables["api_keys"]>, "hash">;

export interface NewKey {
  name: string;
  role: ApiKey["role"];
  createdBy: string;
  /** Milliseconds. */
  lifetimeMs: number;
  usesLeft?: number | undefined;
}

/** How long what the database said of a key counts: another replica may have revoked it. */
const trustMs = 5_000;

/** The keys of people and Agents. */
export class ApiKeys {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #known = new Map<string, { key: ApiKey | undefined; at: number }>();
  readonly #onRevoked = new Set<(id: string) => void>();

  constructor({ database, clock }: { database: Database; clock: Clock }) {
    this.#database = database;
    this.#clock = clock;
  }

  /** Resolves to the key and its secret, which is told this once. */
  async create({
    name,
    role,
    createdBy,
    lifetimeMs,
    usesLeft,
  }: NewKey): Promise<{ key: ApiKey; secret: string }> {
    const secret = newSecret();
    const now = this.#clock.now();
    const key: ApiKey = {
      id: randomUUID(),
      name,
      role,
      created_by: createdBy,
      created_at: now,
      expires_at: now + lifetimeMs,
      revoked_at: null,
      uses_left: usesLeft ?? null,
    };
    await this.#database.query
      .insertInto("api_keys")
      .values({ ...key, hash: hashSecret(secret) })
      .execute();
    return { key, secret };
  }

  /** All of them, newest first, also those that are over. */
  async list(): Promise<ApiKey[]> {
    return await this.#database.query
      .selectFrom("api_keys")
      .select(columns)
      .orderBy("created_at", "desc")
      .orderBy("id")
      .execute();
  }

  /** Ends a key at once, with every connection it opened here; false when there is none of that id. */
  async revoke(id: string): Promise<boolean> {
    const { numUpdatedRows } = await this.#database.query
      .updateTable("api_keys")
      .set({ revoked_at: this.#clock.now() })
      .where("id", "=", id)
      .where("revoked_at", "is", null)
      .executeTakeFirst();
    this.#known.clear();
    if (numUpdatedRows > 0n) for (const notify of this.#onRevoked) notify(id);
    return numUpdatedRows > 0n || (await this.#exists(id));
  }

  /** The key of a secret that is good now; undefined for any other. */
  async verify(secret: string): Promise<ApiKey | undefined> {
    const hash = hashSecret(secret);
    const key = await this.#find(hash);
    return key !== undefined && this.isGood(key) ? key : undefined;
  }

  isGood({ expires_at, revoked_at, uses_left }: ApiKey): boolean {
    return revoked_at === null && this.#clock.now() < expires_at && uses_left !== 0;
  }

  /** Takes one of a limited number of uses; false when none was left. */
  async use({ id, uses_left }: ApiKey): Promise<boolean> {
    if (uses_left === null) return true;
    const { numUpdatedRows } = await this.#database.query
      .updateTable("api_keys")
      .set(({ eb }) => ({ uses_left: eb("uses_left", "-", 1) }))
      .where("id", "=", id)
      .where("uses_left", ">", 0)
      .executeTakeFirst();
    this.#known.clear();
    return numUpdatedRows > 0n;
  }

  /** Told the id of each key that is revoked here. */
  onRevoked(notify: (id: string) => void): void {
    this.#onRevoked.add(notify);
  }

  async #find(hash: string): Promise<ApiKey | undefined> {
    const known = this.#known.get(hash);
    const now = this.#clock.monotonic();
    if (known !== undefined && now - known.at < trustMs) return known.key;
    const key = await this.#database.query
      .selectFrom("api_keys")
      .select(columns)
      .where("hash", "=", hash)
      .executeTakeFirst();
    // Guesses are not remembered: they would fill the memory.
    if (key === undefined) this.#known.delete(hash);
    else this.#known.set(hash, { key, at: now });
    return key;
  }

  async #exists(id: string): Promise<boolean> {
    const found = await this.#database.query
      .selectFrom("api_keys")
      .select("id")
      .where("id", "=", id)
      .executeTakeFirst();
    return found !== undefined;
  }
}

const columns = [
  "id",
  "name",
  "role",
  "created_by",
  "created_at",
  "expires_at",
  "revoked_at",
  "uses_left",
] as const;
