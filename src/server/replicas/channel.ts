import * as z from "zod";

/** What replicas tell each other. Small: what it is about is read from the database. */
const messages = z.discriminatedUnion("t", [
  /** Rows of Agents were written. */
  z.object({ t: z.literal("agents"), from: z.string() }),
  /** Rules were written. */
  z.object({ t: z.literal("rules"), from: z.string() }),
  /** Somebody speaks for this Agent here: does `to` hold a connection of it that is alive? */
  z.object({
    t: z.literal("claim"),
    from: z.string(),
    to: z.string(),
    request: z.string(),
    agent: z.string(),
  }),
  /** `to` is asked whether it is there at all; the answer follows. */
  z.object({ t: z.literal("claim-seen"), from: z.string(), to: z.string(), request: z.string() }),
  z.object({
    t: z.literal("claim-answer"),
    from: z.string(),
    to: z.string(),
    request: z.string(),
    held: z.boolean(),
  }),
  /** The Agent is to restart its Collector. */
  z.object({ t: z.literal("restart"), from: z.string(), to: z.string(), agent: z.string() }),
]);

export type ReplicaMessage = z.infer<typeof messages>;

/** A message to all, or to one, without the sender. */
export type Outgoing = ReplicaMessage extends infer M ? (M extends unknown ? Omit<M, "from"> : never) : never;

/** Undefined for what is none, which a newer replica may send. */
export function parseReplicaMessage(text: string): ReplicaMessage | undefined {
  try {
    return messages.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
