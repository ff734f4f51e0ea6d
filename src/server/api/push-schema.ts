import * as z from "zod";

const withReason = z.array(z.object({ id: z.string(), reason: z.string() }));

/** Whom a push reached, Agent by Agent. */
export const pushedTo = {
  offered: z.int().describe("Sent to that many now"),
  pending: withReason.describe("Will get it when they are heard next"),
  skipped: withReason.describe("Are not offered it"),
};
