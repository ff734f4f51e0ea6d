import { fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Clock } from "../../foundation/clock.ts";
import { digestFields } from "../../foundation/field-digest.ts";
import { AgentConfigMapSchema } from "../../opamp/messages.ts";
import type { Database } from "../storage/database.ts";
import { takeRevisions } from "../storage/revisions.ts";
import type { Tables } from "../storage/tables.ts";
import type { Configuration } from "./configuration.ts";
import { type Variables, variablesSchema } from "./variables.ts";

/** What a version says. */
export interface VersionContent {
  /** The entries as they were posted, of a template with places for its variables. */
  readonly entries: Configuration["map"]["configMap"];
  /** Undefined: no template. */
  readonly variables: Variables | undefined;
}

/** One version of a named configuration. It never changes. */
export interface Version extends VersionContent {
  readonly name: string;
  readonly number: number;
  /** Of the content, in hexadecimal. */
  readonly digest: string;
  readonly author: string;
  readonly message: string;
  /** Milliseconds since the Unix epoch. */
  readonly createdAt: number;
}

export interface NewVersion {
  name: string;
  content: VersionContent & { map: Configuration["map"] };
  author: string;
  message: string;
}

/** A configuration or version that is not there. */
export class NoSuchVersionError extends Error {
  override readonly name = "NoSuchVersionError";
}

/** What is kept of a named configuration, without its text. */
export type VersionSummary = Omit<Version, "entries" | "variables"> & { readonly isTemplate: boolean };

const summaryColumns = ["name", "version", "digest", "author", "message", "created_at", "variables"] as const;

/** Named configurations and all their versions. */
export class Versions {
  readonly #database: Database;
  readonly #clock: Clock;

  constructor({ database, clock }: { database: Database; clock: Clock }) {
    this.#database = database;
    this.#clock = clock;
  }

  /** The newest version of each name. */
  async latest(): Promise<VersionSummary[]> {
    const rows = await this.#database.query
      .selectFrom("configuration_versions as each")
      .select(summaryColumns)
      .where((builder) =>
        builder(
          "version",
          "=",
          builder
            .selectFrom("configuration_versions as other")
            .select(({ fn }) => fn.max("other.version").as("newest"))
            .whereRef("other.name", "=", "each.name"),
        ),
      )
      .orderBy("name")
      .execute();
    return rows.map(toSummary);
  }

  /** Newest first. @throws NoSuchVersionError */
  async history(name: string): Promise<VersionSummary[]> {
    const rows = await this.#database.query
      .selectFrom("configuration_versions")
      .select(summaryColumns)
      .where("name", "=", name)
      .orderBy("version", "desc")
      .execute();
    if (rows.length === 0) throw new NoSuchVersionError(`there is no configuration ${name}`);
    return rows.map(toSummary);
  }

  /** Without a number the newest. @throws NoSuchVersionError */
  async get(name: string, number?: number): Promise<Version> {
    const all = this.#database.query
      .selectFrom("configuration_versions")
      .selectAll()
      .where("name", "=", name)
      .orderBy("version", "desc")
      .limit(1);
    const row = await (number === undefined ? all : all.where("version", "=", number)).executeTakeFirst();
    if (row !== undefined) return toVersion(row);
    await this.history(name);
    throw new NoSuchVersionError(`configuration ${name} has no version ${number}`);
  }

  /** Adds a version, unless the newest says the same. */
  async add({ name, content, author, message }: NewVersion): Promise<{ version: Version; isNew: boolean }> {
    const digest = digestOf(content);
    const written = await this.#database.transaction(async (transaction) => {
      // Whoever else adds one waits until this is done.
      await takeRevisions(transaction, "configurations");
      const newest = await transaction
        .selectFrom("configuration_versions")
        .selectAll()
        .where("name", "=", name)
        .orderBy("version", "desc")
        .limit(1)
        .executeTakeFirst();
      if (newest?.digest === digest) return { row: newest, isNew: false };
      const row: VersionRow = {
        name,
        version: (newest?.version ?? 0) + 1,
        digest,
        body: toBinary(AgentConfigMapSchema, content.map),
        variables: content.variables === undefined ? null : JSON.stringify(content.variables),
        author,
        message,
        created_at: this.#clock.now(),
      };
      await transaction.insertInto("configuration_versions").values(row).execute();
      return { row, isNew: true };
    });
    return { version: toVersion(written.row), isNew: written.isNew };
  }
}

type VersionRow = Tables["configuration_versions"];

function toSummary(row: Omit<VersionRow, "body">): VersionSummary {
  const { author, created_at, digest, message, name, variables, version } = row;
  return {
    name,
    number: version,
    digest,
    author,
    message,
    createdAt: created_at,
    isTemplate: variables !== null,
  };
}

function toVersion({ body, variables, ...row }: VersionRow): Version {
  const { name, version, digest, author, message, created_at } = row;
  return {
    name,
    number: version,
    digest,
    author,
    message,
    createdAt: created_at,
    entries: fromBinary(AgentConfigMapSchema, body).configMap,
    variables: variables === null ? undefined : variablesSchema.parse(JSON.parse(variables)),
  };
}

function digestOf({ entries, variables }: VersionContent): string {
  const fields = Object.keys(entries)
    .sort()
    .flatMap((name) => [name, entries[name]?.contentType ?? "", entries[name]?.body ?? ""]);
  return digestFields([variables === undefined ? "" : JSON.stringify(variables), ...fields]).toString("hex");
}
