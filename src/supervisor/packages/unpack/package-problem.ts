/**
 * Something is wrong with the package itself, not with this host: another try ends the same way. The
 * message is meant for the server and quotes names from the package.
 */
export class PackageProblem extends Error {
  override readonly name = "PackageProblem";
}

/** Turns what a reader of archives throws into a {@link PackageProblem}; what the system refused stays as it is. */
export function asPackageProblem(what: string, error: unknown): unknown {
  if (error instanceof PackageProblem || !(error instanceof Error) || "syscall" in error) return error;
  return new PackageProblem(`${what}: ${error.message}`, { cause: error });
}
