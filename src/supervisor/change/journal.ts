import * as z from "zod/mini";
import type { ChangeRecord, Failure, Step } from "./change.ts";

/** The change under way, as it is on disk. */
export type JournalEntry = ChangeRecord & {
  step: Step;
  /** How often it was switched to, counted over restarts of the supervisor. */
  attempt: number;
  /** Of the step "reverting". */
  failure?: Failure;
  /** Of the step "keeping". */
  how?: "switched" | "unchanged";
};

const entrySchema = z.object({
  kind: z.enum(["configuration", "packages", "connection"]),
  id: z.string(),
  detail: z.record(z.string(), z.unknown()),
  step: z.enum(["staging", "checking", "switching", "proving", "keeping", "reverting"]),
  attempt: z.number(),
  how: z.optional(z.enum(["switched", "unchanged"])),
  failure: z.optional(z.object({ fault: z.enum(["own", "host", "untrusted"]), reason: z.string() })),
});

/** null: nothing is under way. */
export const journalSchema = z.nullable(entrySchema) as z.ZodMiniType<JournalEntry | null>;

/** Where the journal is kept; an entry that is saved survives a power cut. */
export interface JournalStore {
  save(entry: JournalEntry | undefined): Promise<void>;
}

/** Names the change under way and its step, before the step happens. */
export class Journal {
  readonly #store: JournalStore;
  #entry: JournalEntry | undefined;

  constructor(store: JournalStore) {
    this.#store = store;
  }

  get entry(): JournalEntry | undefined {
    return this.#entry;
  }

  async note(entry: JournalEntry): Promise<void> {
    this.#entry = entry;
    await this.#store.save(entry);
  }

  async end(): Promise<void> {
    this.#entry = undefined;
    await this.#store.save(undefined);
  }
}
