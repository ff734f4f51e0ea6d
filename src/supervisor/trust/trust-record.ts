import * as z from "zod/mini";

/**
 * config_trust.json: how far this host has come, written when a signed configuration is kept. Times are seconds since
 * the Unix epoch.
 */
export const trustRecordSchema = z.object({
  /** The keys of supervisor.yaml over which it was written; empty: none yet. */
  anchor: z.string(),
  /** JSON Web Keys of the last rotation; null: those of supervisor.yaml count. */
  keys: z.nullable(z.array(z.record(z.string(), z.unknown()))),
  /** Of that rotation. */
  rotation: z.number(),
  /** The highest of a configuration that was kept, and what that one is. */
  serial: z.number(),
  digest: z.string(),
  /** The newest issue time of all that was kept. */
  issued_at: z.number(),
  /** Nothing that was issued until then counts any more: serials began anew, with other keys of supervisor.yaml. */
  floor: z.number(),
});
export type TrustRecord = z.infer<typeof trustRecordSchema>;

export const noTrustRecord: TrustRecord = {
  anchor: "",
  keys: null,
  rotation: 0,
  serial: 0,
  digest: "",
  issued_at: 0,
  floor: 0,
};

/**
 * The record over the present keys of supervisor.yaml. When an administrator has changed them, they alone count:
 * rotated keys are dropped and serials begin anew, but only for what is issued later than all that was kept before.
 */
export function overAnchor(record: TrustRecord, anchor: string): TrustRecord {
  if (record.anchor === anchor) return record;
  const { issued_at } = record;
  return { ...noTrustRecord, anchor, issued_at, floor: issued_at };
}
