import * as z from "zod/mini";

/**
 * What offers have set over supervisor.yaml; what is absent is as the file says (AN2, AN6-AN11). Holds secrets:
 * header values and private keys.
 */
export type Overrides = z.infer<typeof overridesSchema>;

const overridesSchema = z.object({
  endpoint: z.optional(z.string()),
  headers: z.optional(z.record(z.string(), z.string())),
  /** PEM. `own`: the key was made on this host and the server signed it (AN19). */
  certificate: z.optional(z.object({ cert: z.string(), key: z.string(), own: z.boolean() })),
  tls: z.optional(
    z.object({
      ca: z.optional(z.string()),
      includeSystemCas: z.boolean(),
      insecureSkipVerify: z.boolean(),
      minVersion: z.optional(z.enum(["TLSv1.2", "TLSv1.3"])),
      maxVersion: z.optional(z.enum(["TLSv1.2", "TLSv1.3"])),
      cipherSuites: z.array(z.string()),
    }),
  ),
  /** The URL may hold credentials. */
  proxy: z.optional(z.object({ url: z.string(), connectHeaders: z.record(z.string(), z.string()) })),
  /** Never 0, which cannot be told from "left out" (D1). */
  heartbeatSeconds: z.optional(z.number()),
});

/** Which offer: `hash` as the server gave it, in hexadecimal; `key` tells offers apart also where that is empty. */
const offerIdSchema = z.object({ hash: z.string(), key: z.string() });
export type OfferId = z.infer<typeof offerIdSchema>;

/** Where an offer stands, as the server is told and as it outlives this process (AN18). */
const verdictSchema = z.object({
  offer: offerIdSchema,
  outcome: z.enum(["applied", "failed"]),
  /** Of a failure. */
  reason: z.string(),
  /** Whether the offer itself is bad; else it may be tried again. */
  ownFault: z.boolean(),
  /** Milliseconds since the Unix epoch. */
  at: z.number(),
});
export type OfferVerdict = z.infer<typeof verdictSchema>;

/** connection_settings.json: what was proven and kept, and the verdict on the newest offer. */
export const connectionRecordSchema = z.object({
  kept: z.nullable(
    z.object({
      overrides: overridesSchema,
      offer: offerIdSchema,
      /** Digest of the server section of supervisor.yaml over which they were kept. */
      basis: z.string(),
    }),
  ),
  verdict: z.nullable(verdictSchema),
});
export type ConnectionRecord = z.infer<typeof connectionRecordSchema>;

export const noConnectionRecord: ConnectionRecord = { kept: null, verdict: null };

/** connection_candidate.json: what is being tried; a crash leaves it for the next start (AN4). */
export const connectionCandidateSchema = z.nullable(
  z.object({ id: z.string(), offer: offerIdSchema, overrides: overridesSchema, basis: z.string() }),
);
export type ConnectionCandidate = NonNullable<z.infer<typeof connectionCandidateSchema>>;

/** certificate_request.json: the key that waits for the server to sign it. It never leaves this host. */
export const certificateRequestSchema = z.nullable(
  z.object({ key: z.string(), csr: z.string(), keyType: z.string(), instanceUid: z.string() }),
);
export type CertificateRequestRecord = NonNullable<z.infer<typeof certificateRequestSchema>>;
