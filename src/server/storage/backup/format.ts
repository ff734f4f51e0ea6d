import * as z from "zod";

/**
 * A backup is gzipped lines of JSON: a heading, each table followed by its rows, and an end. It belongs to no
 * database: what was saved from SQLite can be restored into PostgreSQL, and the other way round.
 */
export const heading = z.object({
  format: z.literal("opamp-server-backup"),
  version: z.literal(1),
  created_at: z.number(),
  /** Of the schema, as they had been run. */
  steps: z.array(z.string()),
});

const tableLine = z.object({ table: z.string() });
const rowLine = z.object({ row: z.record(z.string(), z.unknown()) });
/** Missing where a backup was cut short. */
const endLine = z.object({ rows: z.number() });

export const anyLine = z.union([tableLine, rowLine, endLine]);

/** Bytes are marked, since JSON has none; everything else is text, a number or null. */
export function toJsonRow(row: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return mapValues(row, (value) =>
    value instanceof Uint8Array ? { base64: Buffer.from(value).toString("base64") } : value,
  );
}

const storedBytes = z.object({ base64: z.base64() });
const storedValue = z.union([z.string(), z.number(), z.null(), storedBytes]);

export function fromJsonRow(row: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return mapValues(row, (value) => {
    const parsed = storedValue.parse(value);
    return typeof parsed === "object" && parsed !== null ? Buffer.from(parsed.base64, "base64") : parsed;
  });
}

function mapValues(row: Readonly<Record<string, unknown>>, map: (value: unknown) => unknown) {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, map(value)]));
}
