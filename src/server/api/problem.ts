import * as z from "zod";

/**
 * What can be wrong with a request, by the name that clients may rely on: status and title (RFC 9457).
 * Each room adds its own; a name is never given another meaning.
 */
const problems = {
  "already-decided": [409, "Already decided"],
  "ambiguous-certificate": [409, "Ambiguous certificate"],
  "bad-body": [400, "Bad body"],
  "bad-configuration": [400, "Bad configuration"],
  "bad-document": [400, "Bad document"],
  "bad-instance-uid": [400, "Bad instance UID"],
  "bad-packages": [400, "Bad packages"],
  "bad-path": [400, "Bad path"],
  "bad-query-parameter": [400, "Bad query parameter"],
  "bad-request": [400, "Bad request"],
  "bad-selector": [400, "Bad selector"],
  "bad-strategy": [400, "Bad strategy"],
  "body-too-large": [413, "Body too large"],
  "cannot-restart": [409, "Cannot restart"],
  "certificate-not-issued": [409, "Certificate not issued"],
  "empty-selector": [400, "Empty selector"],
  forbidden: [403, "Forbidden"],
  "foreign-origin": [403, "Foreign origin"],
  "hash-quarantined": [409, "Hash in quarantine"],
  "idempotency-key-busy": [409, "Idempotency key in use"],
  "idempotency-key-reused": [422, "Idempotency key of another request"],
  "internal-error": [500, "Internal error"],
  "method-not-allowed": [405, "Method not allowed"],
  "no-authority": [409, "No certificate authority"],
  "no-packages": [409, "No packages"],
  "label-of-agent": [409, "Label of the agent itself"],
  "no-such-group": [404, "No such group"],
  "no-such-agent": [404, "No such agent"],
  "no-such-certificate": [404, "No such certificate"],
  "no-such-certificate-request": [404, "No such certificate request"],
  "no-such-configuration": [404, "No such configuration"],
  "no-such-rollout": [404, "No such rollout"],
  "no-such-strategy": [404, "No such strategy"],
  "no-such-token": [404, "No such API key"],
  "not-found": [404, "Not found"],
  "not-yours-to-approve": [403, "Not yours to approve"],
  "repeated-query-parameter": [400, "Repeated query parameter"],
  "repeated-selector": [400, "Repeated selector"],
  "rollout-not-now": [409, "Not possible now"],
  "too-many-requests": [429, "Too many requests"],
  "precondition-failed": [412, "Precondition failed"],
  "restarts-under-way": [409, "Restarts under way"],
  "too-many-streams": [503, "Too many event streams"],
  unauthorized: [401, "Unauthorized"],
  "unknown-query-parameter": [400, "Unknown query parameter"],
} as const satisfies Record<string, readonly [status: number, title: string]>;

export type ProblemName = keyof typeof problems;

/** One field of a request that is wrong. */
export interface FieldError {
  /** Part of the request. */
  in: "body" | "query" | "path" | "header";
  /** Name of the parameter, or the path inside the body, its steps joined by dots. */
  field: string;
  message: string;
}

/** Every problem there can be: name, status, title. */
export function listProblems() {
  return Object.entries(problems).map(([name, [status, title]]) => [name, status, title] as const);
}

export interface ProblemOptions {
  headers?: Readonly<Record<string, string>>;
  errors?: readonly FieldError[];
}

/** A request that is answered with `application/problem+json` (RFC 9457). */
export class ProblemError extends Error {
  override readonly name = "ProblemError";
  readonly problem: ProblemName;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly errors: readonly FieldError[];

  constructor(problem: ProblemName, detail: string, { headers = {}, errors = [] }: ProblemOptions = {}) {
    super(detail);
    this.problem = problem;
    [this.status] = problems[problem];
    this.headers = headers;
    this.errors = errors;
  }
}

/** The body of an answer that tells of a problem. */
export const problemSchema = z
  .object({
    type: z.string().describe("Stable: what clients may tell problems apart by"),
    title: z.string(),
    status: z.int(),
    detail: z.string().describe("What is wrong with this very request, and what to do"),
    errors: z
      .array(
        z.object({ in: z.enum(["body", "query", "path", "header"]), field: z.string(), message: z.string() }),
      )
      .optional()
      .describe("The fields that are wrong, where it is about fields"),
  })
  .meta({ id: "Problem" });

/** Where the names are explained; RFC 9457 has a problem's type be an address. */
const problemTypeBase = "/api/v1/docs#";

export function problemBody({ problem, message, errors }: ProblemError): z.infer<typeof problemSchema> {
  const [status, title] = problems[problem];
  return {
    type: `${problemTypeBase}${problem}`,
    title,
    status,
    detail: message,
    ...(errors.length === 0 ? {} : { errors: [...errors] }),
  };
}
