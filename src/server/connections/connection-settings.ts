import * as z from "zod";
import { digestFields } from "../../foundation/field-digest.ts";

/** `${secret:NAME}` stands for a secret of server.yaml. */
const secretPlace = /\$\{secret:([\w.-]+)\}/g;

const placeOf = (name: string) => `\${secret:${name}}`;

const headers = z
  .record(
    z.string().regex(/^[\w!#$%&'*+.^`|~-]+$/, { error: "expected the name of an HTTP header" }),
    z.string().regex(/^[\t\x20-\x7e\x80-\xff]*$/, { error: "no HTTP header can have this value" }),
  )
  .superRefine((all, context) => {
    for (const [name, value] of Object.entries(all)) {
      if (!/authorization|cookie|token|secret|password|key/i.test(name)) continue;
      if (value === "" || secretsIn(value).length > 0) continue;
      const message = `is kept and shown: name a secret of server.yaml, such as Bearer ${placeOf("NAME")}`;
      context.addIssue({ code: "custom", message, path: [name] });
    }
  });

const tls = z.strictObject({
  ca_pem_contents: z.string().default(""),
  include_system_ca_certs_pool: z.boolean().default(true),
  insecure_skip_verify: z.boolean().default(false),
  min_version: z.enum(["", "1.2", "1.3"]).default(""),
  max_version: z.enum(["", "1.2", "1.3"]).default(""),
  cipher_suites: z.array(z.string()).default([]),
});

const certificate = z.strictObject({
  cert: z.string(),
  private_key: z
    .string()
    .regex(/^\$\{secret:[\w.-]+\}$/, { error: `expected ${placeOf("NAME")}, a secret of server.yaml` }),
  ca_cert: z.string().default(""),
});

/** An offer leaves nothing out that a client would read as none (SN5): the headers have to be said, if only as {}. */
const destination = { headers, tls: tls.optional(), certificate: certificate.optional() };
const url = (protocol: RegExp, error: string) => z.url({ protocol, error });
const httpUrl = url(/^https?$/, "expected an http:// or https:// URL");

const telemetry = z.strictObject({ destination_endpoint: httpUrl, ...destination });

const opamp = z.strictObject({
  destination_endpoint: url(/^(wss?|https?)$/, "expected a ws://, wss://, http:// or https:// URL"),
  heartbeat_interval_seconds: z
    .int()
    .min(1)
    .max(86_400)
    .optional()
    .describe("Left out: opamp.heartbeat_interval"),
  ...destination,
});

const other = z.strictObject({
  destination_endpoint: z.string().min(1),
  other_settings: z.record(z.string(), z.string()).default({}),
  ...destination,
});

/** What Agents are to connect to, class by class; a class that is left out is not offered. */
export const connectionSettingsSchema = z
  .strictObject({
    opamp: opamp.optional(),
    own_metrics: telemetry.optional(),
    own_traces: telemetry.optional(),
    own_logs: telemetry.optional(),
    other_connections: z.record(z.string().min(1), other).optional(),
  })
  .refine((settings) => Object.values(settings).some((each) => each !== undefined), {
    error: "names no connection: give opamp, own_metrics, own_traces, own_logs or other_connections",
  });
export type ConnectionSettings = z.infer<typeof connectionSettingsSchema>;

/** Connection settings as they are offered: all classes under one hash. */
export interface ConnectionOffer {
  readonly settings: ConnectionSettings;
  readonly hash: Uint8Array;
  readonly hashHex: string;
}

/** `issue` gives the same settings another hash, so that Agents which refused them try them again. */
export function createConnectionOffer(settings: ConnectionSettings, issue = ""): ConnectionOffer {
  const hash = digestFields(["connections", issue, canonical(settings)]);
  return { settings, hash: new Uint8Array(hash), hashHex: hash.toString("hex") };
}

/** Names of the secrets that a text has places for. */
export function secretsIn(text: string): string[] {
  return [...text.matchAll(secretPlace)].map(([, name = ""]) => name);
}

/** The text with something in these places. */
export function fillIn(text: string, read: (name: string) => string): string {
  return text.replaceAll(secretPlace, (_, name: string) => read(name));
}

/** JSON with sorted keys, so that equal settings read the same. */
function canonical(settings: unknown): string {
  return JSON.stringify(settings, (_, value: unknown) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
