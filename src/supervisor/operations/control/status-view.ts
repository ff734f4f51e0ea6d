import * as z from "zod/mini";

/** Answer of `GET /v1/status`, and what `status --json` prints. Times are ISO 8601. */
export type StatusView = z.infer<ReturnType<typeof makeStatusSchema>>;

/** Made by whoever reads one: a supervisor only writes them, and a schema costs memory. */
export const makeStatusSchema = () => {
  const nullableText = z.nullable(z.string());
  return z.object({
    verdict: z.enum(["healthy", "degraded"]),
    /** Why it is degraded, worst first. */
    reasons: z.array(z.string()),
    supervisor: z.object({ version: z.string(), pid: z.number(), uptime_seconds: z.number() }),
    instance_uid: z.string(),
    server: z.object({
      endpoint: z.string(),
      connected: z.boolean(),
      /** Since when it is connected, or not. */
      since: z.string(),
      last_error: nullableText,
    }),
    collector: z.object({
      state: z.string(),
      pid: z.nullable(z.number()),
      uptime_seconds: z.nullable(z.number()),
      /** As the server is told. */
      healthy: z.boolean(),
      status: z.string(),
      last_error: nullableText,
      /** Ends that nobody asked for, since the supervisor started. */
      exits: z.number(),
      /** `agent.memory_limit`. */
      memory_limit: z.nullable(
        z.object({
          bytes: z.number(),
          gomemlimit: z.string(),
          /** Why the kernel does not hold it; null where it does. */
          not_held_by_cgroup: nullableText,
        }),
      ),
      last_exit: z.nullable(z.object({ at: z.string(), how: z.string() })),
    }),
    program: z.nullable(
      z.object({
        /** `agent.executable`, or a package of the server. */
        source: z.enum(["local", "package"]),
        path: z.string(),
        version: nullableText,
      }),
    ),
    configuration: z.object({
      /** What kind of configuration runs: desired, last-known-good, fallback, bootstrap, stopped, none. */
      role: z.string(),
      /** config_hash of the remote configuration in it. */
      remote_hash: nullableText,
      content_hash: nullableText,
      /** When it first came to this host. */
      since: nullableText,
      on_probation: z.boolean(),
    }),
    /** What the server is told of its last offer. */
    remote_config: z.object({ status: z.string(), hash: nullableText, error: nullableText }),
    quarantined: z.number(),
    /** Of the connection to the server. */
    certificates: z.array(z.object({ use: z.string(), expires: z.string() })),
    storage: z.object({
      free_bytes: z.nullable(z.number()),
      /** State files whose newest content the disk refuses; they are tried again. */
      unwritten: z.array(z.string()),
    }),
    /** The change under way. */
    change: z.nullable(z.object({ kind: z.string(), step: z.string(), trigger: z.string() })),
  });
};
