/** The text of anything that was thrown, with the causes that explain it, on one line. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const text = error.message === "" ? (errorCode(error) ?? error.name) : error.message;
  if (error.cause === undefined) return text;
  const cause = describeError(error.cause);
  return text.includes(cause) ? text : `${text}: ${cause}`;
}

/** Node's `code` of a system error (`ENOENT`, `EADDRINUSE`), or undefined. */
export function errorCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : undefined;
}

/** Whether the file or directory was missing. */
export function isMissing(error: unknown): boolean {
  return errorCode(error) === "ENOENT";
}
