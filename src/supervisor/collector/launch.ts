import { createHash } from "node:crypto";
import type { Role } from "./role.ts";

/** What to run: everything that makes one launch differ from another. */
export interface Launch {
  /** Header value by which the Collector's link tells that it runs this configuration. */
  mark: string;
  /** What this configuration is to the host. */
  role: Role;
  executable: string;
  /** Changes when the file of the executable is replaced; empty if unknown. */
  fileIdentity: string;
  args: readonly string[];
  env: Readonly<Record<string, string>>;
}

/** Whether two launches differ in nothing but the configuration file's content. */
export function sameProgram(a: Launch, b: Launch): boolean {
  return programHash(a) === programHash(b);
}

/** What differs between two shells that an operator starts the supervisor from, and changes no Collector. */
const ofTheShell = /^(?:_|SHLVL|PWD|OLDPWD|TERM|COLUMNS|LINES|SSH_.+|XDG_SESSION_ID)$/;

/** SHA-256 of executable, its file's identity, arguments and environment. */
export function programHash({ executable, fileIdentity, args, env }: Launch): string {
  const variables = Object.entries(env).filter(([name]) => !ofTheShell.test(name));
  const program = JSON.stringify([
    executable,
    fileIdentity,
    args,
    variables.toSorted(([a], [b]) => (a < b ? -1 : 1)),
  ]);
  return createHash("sha256").update(program).digest("hex");
}
