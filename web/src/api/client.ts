import { authorization, signOut } from "../session.ts";

/** An answer that is no success, as the server explains it (RFC 9457). */
export class ApiProblem extends Error {
  override readonly name = "ApiProblem";
  readonly status: number;
  /** The last part of its type, such as `bad-selector`. */
  readonly kind: string;

  constructor(status: number, kind: string, detail: string) {
    super(detail);
    this.status = status;
    this.kind = kind;
  }
}

export interface Request {
  method?: "GET" | "POST" | "DELETE";
  /** Sent as JSON, a text as it is. */
  body?: unknown;
  /** Kept in the audit log by routes whose body has no room for it. */
  reason?: string;
  signal?: AbortSignal;
}

/** @throws ApiProblem, or an AbortError */
export async function request<T>(
  path: string,
  { method = "GET", body, reason, signal }: Request = {},
): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(path, {
      method,
      headers: { ...authorization(), ...(reason && { "x-reason": encodeReason(reason) }) },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      ...(signal && { signal }),
      cache: "no-store",
    });
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new ApiProblem(
      0,
      "unreachable",
      "opamp-server does not answer. Nothing is known of what became of this.",
    );
  }
  if (answer.ok) return answer.status === 204 ? (undefined as T) : ((await answer.json()) as T);
  const problem = (await answer.json().catch(() => ({}))) as {
    type?: string;
    detail?: string;
    title?: string;
  };
  if (answer.status === 401) signOut(problem.detail);
  const kind = problem.type?.split("#").at(-1) ?? "";
  throw new ApiProblem(
    answer.status,
    kind,
    problem.detail ?? problem.title ?? `${answer.status} ${answer.statusText}`,
  );
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

export function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** `/path?…` without what is undefined or empty. */
export function withQuery(
  path: string,
  query: Readonly<Record<string, string | number | undefined>>,
): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== "") parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return text === "" ? path : `${path}?${text}`;
}

/** A header carries no other characters. */
function encodeReason(reason: string): string {
  return reason.replaceAll(/[^\x20-\x7e]/g, "?");
}
