import * as z from "zod/mini";

const failureSchema = z.object({
  fault: z.enum(["own", "host", "untrusted"]),
  /** The package at fault; undefined when it is all of them together. */
  name: z.optional(z.string()),
  reason: z.string(),
});

export const packagesRecordSchema = z.object({
  /** Tells the offer that this is about from others. */
  offer: z.string(),
  outcome: z.enum(["none", "under-way", "applied", "failed"]),
  /** The package set that the last offer came to, once all of it was on this host. */
  set: z.nullable(z.string()),
  /** The offer came from the drop folder, not from the server. */
  from_this_host: z._default(z.boolean(), false),
  /** The last offer that the drop folder made. It lies there still, and is not to come back over a newer one. */
  dropped: z._default(z.string(), ""),
  failure: z.optional(failureSchema),
  /** Offers that failed by their own fault, newest last. */
  tries: z.array(z.object({ offer: z.string(), count: z.number() })),
});
export type PackagesFailure = z.infer<typeof failureSchema>;

/** How far the last offer of packages came, as it is on disk. */
export type PackagesRecord = z.infer<typeof packagesRecordSchema>;
export const noPackagesRecord: PackagesRecord = {
  offer: "",
  outcome: "none",
  set: null,
  from_this_host: false,
  dropped: "",
  tries: [],
};

/** After so many failures by its own fault an offer is refused without another try. */
export const maxTries = 3;

const rememberedTries = 20;

/** How often this offer failed by its own fault. */
export function triesOf({ tries }: PackagesRecord, offer: string): number {
  return tries.find((each) => each.offer === offer)?.count ?? 0;
}

/** The tries of every offer, `count` of this one. */
export function withTries({ tries }: PackagesRecord, offer: string, count: number): PackagesRecord["tries"] {
  const others = tries.filter((each) => each.offer !== offer);
  return count === 0 ? others : [...others, { offer, count }].slice(-rememberedTries);
}
