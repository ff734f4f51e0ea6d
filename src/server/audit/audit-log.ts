import { createHash } from "node:crypto";
import { type Selectable, sql } from "kysely";
import type { Clock } from "../../foundation/clock.ts";
import type { Database } from "../storage/database.ts";
import type { AuditTables } from "./tables.ts";

export type AuditEntry = Selectable<AuditTables["audit"]>;

/** Something that was done, or tried without the right to. */
export interface AuditRecord {
  actor: string;
  by: string;
  role: string;
  address: string;
  /** What was done, such as `POST /api/v1/config`. */
  action: string;
  /** What it was done to. */
  target: string;
  outcome: "done" | "refused";
  before?: unknown;
  after?: unknown;
  /** Why, in the words of who did it. */
  reason?: string | undefined;
}

export interface AuditFilter {
  actor?: string | undefined;
  action?: string | undefined;
  /** Any part of actor, action, target or reason. */
  text?: string | undefined;
  /** Only entries with a smaller number. */
  before?: number | undefined;
  limit: number;
}

/**
 * Who did what, when and why. Each entry's hash covers the entry before it, so that none can be changed, taken out or put
 * in between without {@link verify} telling; whoever keeps the last hash elsewhere sees a cut end as well.
 */
export class AuditLog {
  readonly #database: Database;
  readonly #clock: Clock;
  #writing: Promise<unknown> = Promise.resolve();

  constructor({ database, clock }: { database: Database; clock: Clock }) {
    this.#database = database;
    this.#clock = clock;
  }

  /** Resolves when it is kept. */
  append(record: AuditRecord): Promise<AuditEntry> {
    const written = this.#writing.then(() => this.#write(record));
    this.#writing = written.catch(() => undefined);
    return written;
  }

  /** Newest first. */
  async list({ actor, action, text, before, limit }: AuditFilter): Promise<AuditEntry[]> {
    let query = this.#database.query.selectFrom("audit").selectAll().orderBy("number", "desc").limit(limit);
    if (actor !== undefined) query = query.where("actor", "=", actor);
    if (action !== undefined) query = query.where("action", "=", action);
    if (before !== undefined) query = query.where("number", "<", before);
    if (text !== undefined) {
      const pattern = `%${text.replaceAll(/[\\%_]/g, "\\$&")}%`;
      query = query.where(
        sql<boolean>`(actor like ${pattern} escape '\\' or action like ${pattern} escape '\\'
          or target like ${pattern} escape '\\' or reason like ${pattern} escape '\\')`,
      );
    }
    return await query.execute();
  }

  /** The number of the first entry whose hash does not fit, or undefined when all do. */
  async verify(): Promise<number | undefined> {
    let last: AuditEntry | undefined;
    for (;;) {
      const entries = await this.#database.query
        .selectFrom("audit")
        .selectAll()
        .where("number", ">", last?.number ?? 0)
        .orderBy("number")
        .limit(1000)
        .execute();
      if (entries.length === 0) return undefined;
      for (const entry of entries) {
        const follows = entry.number === (last?.number ?? 0) + 1;
        if (!follows || hashOf(entry, last?.hash ?? "") !== entry.hash) return entry.number;
        last = entry;
      }
    }
  }

  async #write(record: AuditRecord): Promise<AuditEntry> {
    return await this.#database.transaction(async (transaction) => {
      // Of two replicas the second waits here, and so goes on from what the first wrote.
      await transaction
        .updateTable("audit_end")
        .set(({ eb }) => ({ number: eb("number", "+", 1) }))
        .execute();
      const end = await transaction.selectFrom("audit_end").selectAll().executeTakeFirstOrThrow();
      const { actor, by, role, address, action, target, outcome, before, after, reason } = record;
      const content = {
        number: end.number,
        at: this.#clock.now(),
        actor,
        actor_by: by,
        role,
        address,
        action,
        target,
        outcome,
        before: before === undefined ? null : JSON.stringify(before),
        after: after === undefined ? null : JSON.stringify(after),
        reason: reason ?? null,
      };
      const entry = { ...content, hash: hashOf(content, end.hash) };
      await transaction.insertInto("audit").values(entry).execute();
      await transaction.updateTable("audit_end").set({ hash: entry.hash }).execute();
      return entry;
    });
  }
}

function hashOf(entry: Omit<AuditEntry, "hash">, hashBefore: string): string {
  const { number, at, actor, actor_by, role, address, action, target, outcome, before, after, reason } =
    entry;
  const text = JSON.stringify([
    hashBefore,
    ...[number, at, actor, actor_by, role, address, action, target, outcome, before, after, reason],
  ]);
  return createHash("sha256").update(text).digest("hex");
}
