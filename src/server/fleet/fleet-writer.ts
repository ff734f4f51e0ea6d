import { setImmediate as nextTurn } from "node:timers/promises";
import { zstdCompressSync } from "node:zlib";
import type { Transaction } from "kysely";
import type { Clock, Timer } from "../../foundation/clock.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { OffersTable } from "../offers/tables.ts";
import type { Database } from "../storage/database.ts";
import { takeRevisions } from "../storage/revisions.ts";
import type { Tables } from "../storage/tables.ts";
import { WriteBehind } from "../storage/write-behind.ts";
import type { Agent, OfferEntry } from "./agent.ts";
import { type DocumentPart, documentParts, encodeDocument, toContact, toRow } from "./agent-record.ts";
import type { Fleet, FleetObserver } from "./fleet.ts";
import { forgetOffers, offerRow, writeOffers } from "./offer-history.ts";
import type { AgentDocumentsTable } from "./tables.ts";

export interface FleetWriterOptions {
  database: Database;
  clock: Clock;
  log: Logger;
  /** Id of this replica. */
  replica: string;
  /** Called when rows of Agents were written. */
  onWritten: () => void;
}

/** Agents of one transaction, and rows of one statement: each statement of SQLite keeps all else waiting. */
const agentsAtATime = 1_000;
const rowsAtATime = 50;

const delayMs = 1_000;
/** What only was heard is written this seldom, and when the server stops. */
const contactsEveryMs = 60_000;

/** Stores what changes in the fleet, about a second later and together. */
export class FleetWriter implements FleetObserver {
  readonly #options: FleetWriterOptions;
  readonly #behind: WriteBehind;
  #fleet: Pick<Fleet, "get"> | undefined;
  /** By id, with the parts to be written besides the row. */
  readonly #changed = new Map<string, Set<DocumentPart>>();
  readonly #heard = new Set<string>();
  /** By Agent and number. */
  readonly #offers = new Map<string, OffersTable>();
  readonly #seenOffers = new WeakSet<OfferEntry>();
  #contactsTimer: Timer | undefined;

  constructor(options: FleetWriterOptions) {
    this.#options = options;
    const { clock, log } = options;
    this.#behind = new WriteBehind({ clock, log, delayMs, writeSome: () => this.#writeSome() });
  }

  /** Begins to write for this fleet. */
  attach(fleet: Pick<Fleet, "get">): void {
    this.#fleet = fleet;
  }

  heard(agent: Agent, report: Parameters<FleetObserver["heard"]>[1]): void {
    if (report.told === "nothing") {
      this.#heard.add(agent.id);
      this.#contactsTimer ??= this.#options.clock.setTimer(contactsEveryMs, () => {
        this.#contactsTimer = undefined;
        this.#behind.wake();
      });
      return;
    }
    const { changed } = report;
    this.#add(
      agent.id,
      documentParts.filter((part) => changed[part] !== undefined),
    );
  }

  noted(agent: Agent): void {
    for (const [kind, { last }] of Object.entries(agent.offers)) {
      if (last === undefined || this.#seenOffers.has(last)) continue;
      this.#seenOffers.add(last);
      this.#offers.set(`${agent.id}/${last.number}`, offerRow(agent.id, kind, last));
    }
    this.#add(agent.id, []);
  }

  /** Resolves when all that is known now is stored. */
  flush(): Promise<void> {
    this.#contactsTimer?.cancel();
    this.#contactsTimer = undefined;
    return this.#behind.flush();
  }

  async close(): Promise<void> {
    await this.flush();
    await this.#behind.close();
  }

  #add(id: string, parts: readonly DocumentPart[]): void {
    const waiting = this.#changed.get(id) ?? new Set();
    for (const part of parts) waiting.add(part);
    this.#changed.set(id, waiting);
    this.#behind.wake();
  }

  async #writeSome(): Promise<boolean> {
    const batch = [...this.#changed].slice(0, agentsAtATime);
    for (const [id] of batch) {
      this.#changed.delete(id);
      this.#heard.delete(id);
    }
    // The timer still runs: what was only heard is not due yet.
    const contactsDue = this.#contactsTimer === undefined;
    const contacts = contactsDue && batch.length === 0 ? [...this.#heard].slice(0, agentsAtATime) : [];
    for (const id of contacts) this.#heard.delete(id);
    const offers = [...this.#offers].slice(0, agentsAtATime);
    for (const [key] of offers) this.#offers.delete(key);
    try {
      await this.#write(
        batch,
        contacts,
        offers.map(([, row]) => row),
      );
    } catch (error) {
      for (const [key, row] of offers) if (!this.#offers.has(key)) this.#offers.set(key, row);
      for (const [id, parts] of batch) this.#add(id, [...parts]);
      for (const id of contacts) this.#heard.add(id);
      throw error;
    }
    return this.#changed.size > 0 || this.#offers.size > 0 || (contactsDue && this.#heard.size > 0);
  }

  async #write(
    batch: readonly [string, Set<DocumentPart>][],
    contacts: readonly string[],
    offers: readonly OffersTable[],
  ): Promise<void> {
    const { database, onWritten, replica } = this.#options;
    const parts = new Map(batch);
    const known = (id: string) => this.#fleet?.get(id) ?? [];
    // What is stored belongs together: agents are never changed in place, so that this is one moment.
    const agents = batch.flatMap(([id]) => known(id));
    const heard = [...agents, ...contacts.flatMap(known)];
    if (heard.length === 0 && offers.length === 0) return;
    const documents = agents.flatMap((agent) =>
      [...(parts.get(agent.id) ?? [])].map((part) => ({ agent, part })),
    );
    await database.transaction(async (transaction) => {
      const last = agents.length === 0 ? undefined : await takeRevisions(transaction, "agents");
      for (const some of inGroups(agents)) {
        await writeAgents(
          transaction,
          some.map((agent) => toRow(agent, replica, last ?? 0)),
        );
        await nextTurn();
      }
      for (const some of inGroups(heard)) await writeContacts(transaction, some.map(toContact));
      for (const some of inGroups(documents)) {
        await writeDocuments(transaction, some.flatMap(documentRow));
        await nextTurn();
      }
      for (const some of inGroups(offers)) {
        await writeOffers(transaction, some);
        await nextTurn();
      }
      await forgetOffers(transaction, agents);
    });
    if (agents.length > 0) onWritten();
  }
}

/** Compressed at once: for 20 KB the way to another thread and back takes longer than the work. */
function documentRow({ agent, part }: { agent: Agent; part: DocumentPart }): AgentDocumentsTable[] {
  const body = encodeDocument(part, agent.state);
  return body === undefined ? [] : [{ uid: agent.id, part, body: zstdCompressSync(body) }];
}

function* inGroups<T>(rows: readonly T[]): Generator<T[]> {
  for (let start = 0; start < rows.length; start += rowsAtATime) yield rows.slice(start, start + rowsAtATime);
}

async function writeAgents(transaction: Transaction<Tables>, rows: Tables["agents"][]): Promise<void> {
  await transaction
    .insertInto("agents")
    .values(rows)
    .onConflict((conflict) =>
      conflict
        .column("uid")
        .doUpdateSet((row) => ({
          report: row.ref("excluded.report"),
          notes: row.ref("excluded.notes"),
          transport: row.ref("excluded.transport"),
          remote_address: row.ref("excluded.remote_address"),
          applied_hash: row.ref("excluded.applied_hash"),
          gone_since: row.ref("excluded.gone_since"),
          gone_reason: row.ref("excluded.gone_reason"),
          replica: row.ref("excluded.replica"),
          revision: row.ref("excluded.revision"),
        }))
        // It may have moved on to another replica before this one noticed that it went.
        .where((row) =>
          row.or([
            row("excluded.gone_since", "is", null),
            row("agents.replica", "=", row.ref("excluded.replica")),
          ]),
        ),
    )
    .execute();
}

async function writeContacts(
  transaction: Transaction<Tables>,
  rows: Tables["agent_contacts"][],
): Promise<void> {
  await transaction
    .insertInto("agent_contacts")
    .values(rows)
    .onConflict((conflict) =>
      conflict.column("uid").doUpdateSet((row) => ({
        last_seen: row.ref("excluded.last_seen"),
        sequence_num: row.ref("excluded.sequence_num"),
      })),
    )
    .execute();
}

async function writeDocuments(transaction: Transaction<Tables>, rows: AgentDocumentsTable[]): Promise<void> {
  await transaction
    .insertInto("agent_documents")
    .values(rows)
    .onConflict((conflict) =>
      conflict.columns(["uid", "part"]).doUpdateSet((row) => ({ body: row.ref("excluded.body") })),
    )
    .execute();
}
