// What a handler sees and answers: plain values, so that handlers need no server to run.

/** A request to the management API, its body read. */
export interface ApiRequest {
  method: string;
  /** The path of the URL, still percent-encoded. */
  path: string;
  query: URLSearchParams;
  /** Values of the `{name}` parts of the route, decoded. */
  params: Readonly<Record<string, string>>;
  contentType: string | undefined;
  body: Uint8Array;
}

/** The answer: a status and what becomes its JSON body. */
export interface ApiResult {
  status: number;
  body: unknown;
  headers?: Readonly<Record<string, string>>;
}

export type Handler = (request: ApiRequest) => ApiResult | Promise<ApiResult>;

/** A request that is answered with `application/problem+json` (RFC 9457). */
export class ProblemError extends Error {
  override readonly name = "ProblemError";
  readonly status: number;
  readonly title: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, title: string, detail: string, headers: Readonly<Record<string, string>> = {}) {
    super(detail);
    this.status = status;
    this.title = title;
    this.headers = headers;
  }
}

/** The answer that tells of a problem. */
export function problemResult(problem: ProblemError): ApiResult {
  return {
    status: problem.status,
    headers: { ...problem.headers, "content-type": "application/problem+json" },
    body: { title: problem.title, status: problem.status, detail: problem.message },
  };
}

/**
 * The query parameters a handler knows, each at most once.
 * @throws ProblemError 400 for any other: a mistyped `selector` must not mean "every Agent".
 */
export function knownQuery<Name extends string>(
  query: URLSearchParams,
  names: readonly Name[],
): Partial<Record<Name, string>> {
  const values: Partial<Record<Name, string>> = {};
  for (const [given, value] of query) {
    const name = names.find((each) => each === given);
    if (name === undefined) {
      const known = names.length === 0 ? "none" : names.join(", ");
      throw new ProblemError(
        400,
        "Unknown query parameter",
        `${JSON.stringify(given)} is not a parameter of this request (known: ${known}); an & inside a value is written %26`,
      );
    }
    if (values[name] !== undefined) {
      throw new ProblemError(400, "Repeated query parameter", `${name} may be given once`);
    }
    values[name] = value;
  }
  return values;
}
