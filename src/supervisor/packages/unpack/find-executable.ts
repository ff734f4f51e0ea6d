import { open, readdir, stat } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import { executableFault } from "../../collector/process-executable.ts";
import { PackageProblem } from "./package-problem.ts";

const namedInReason = 5;

/**
 * Path, below `directory`, of the Collector in an unpacked top-level package: its only program (ELF or
 * script, marked executable), or else the only one named like the package, or else `otelcol…`.
 * @throws PackageProblem that names what there is, when none or several could be meant.
 */
export async function findExecutable(directory: string, packageName: string): Promise<string> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    .sort();
  const executables: string[] = [];
  for (const file of files) {
    if (((await stat(join(directory, file))).mode & 0o111) !== 0) executables.push(file);
  }
  const programs: string[] = [];
  for (const file of executables) {
    if (await isProgram(join(directory, file))) programs.push(file);
  }
  // One that is no program of this host either is told apart later, with a better reason.
  const candidates = programs.length > 0 ? programs : executables;
  const named = (isRight: (name: string) => boolean) => candidates.filter((file) => isRight(basename(file)));
  for (const few of [
    candidates,
    named((name) => name === packageName),
    named((name) => name.startsWith("otelcol")),
  ]) {
    const [only] = few;
    if (few.length === 1 && only !== undefined) return only;
  }
  if (candidates.length > 0)
    throw new PackageProblem(
      `the package has several programs and none can be told to be the Collector: ${list(candidates)}; name one like the package, or otelcol`,
    );
  throw new PackageProblem(
    `the package has no program that could be the Collector: ${files.length === 0 ? "it is empty" : `of ${list(files)}, none is marked executable`}`,
  );
}

/** Why a program of a package cannot run here, in a sentence for the server, or undefined if it may. */
export function architectureProblem(path: string): string | undefined {
  const fault = executableFault(path);
  if (fault === undefined) return undefined;
  const { what, wanted = "a Collector for Linux" } = fault;
  return `the package's program ${basename(path)} ${what}; offer ${wanted}`;
}

async function isProgram(path: string): Promise<boolean> {
  const file = await open(path, "r");
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
    const head = buffer.toString("latin1", 0, bytesRead);
    return head === "\x7fELF" || head.startsWith("#!");
  } finally {
    await file.close();
  }
}

function list(files: readonly string[]): string {
  const more = files.length > namedInReason ? ` and ${files.length - namedInReason} more` : "";
  return files.slice(0, namedInReason).join(", ") + more;
}
