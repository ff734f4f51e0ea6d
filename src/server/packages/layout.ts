import { type Dirent, promises as fs } from "node:fs";
import { join } from "node:path";
import { describeError, isMissing } from "../../foundation/errors.ts";
import type { PackageProblem, PackageTypeName } from "./package-file.ts";
import { readPackageType } from "./package-type.ts";

/** The one file of a version, where it stands; not read yet. */
export interface FoundFile {
  readonly name: string;
  readonly type: PackageTypeName;
  readonly version: string;
  readonly fileName: string;
  readonly path: string;
  readonly signaturePath: string | undefined;
}

export interface Layout {
  readonly files: readonly FoundFile[];
  readonly problems: readonly PackageProblem[];
}

/** Names become parts of URLs here, and folders on the Agents' hosts. */
const packageName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
const versionOrFileName = /^[A-Za-z0-9][A-Za-z0-9._+~-]{0,199}$/;
const signatureEnding = ".sig";

/** Walks `<directory>/<name>/<version>/<file>`. What does not fit is a problem; the rest stands. */
export async function readLayout(directory: string): Promise<Layout> {
  const files: FoundFile[] = [];
  const problems: PackageProblem[] = [];
  for (const entry of await list(directory, problems)) {
    const path = join(directory, entry.name);
    const wrong = wrongFolder(entry, packageName, "<name>/<version>/<file>");
    if (wrong !== undefined) problems.push({ path, reason: wrong });
    else files.push(...(await readPackage(path, entry.name, problems)));
  }
  return { files, problems };
}

async function readPackage(
  directory: string,
  name: string,
  problems: PackageProblem[],
): Promise<FoundFile[]> {
  const entries = await list(directory, problems);
  const type = await readPackageType(directory, name);
  if ("problem" in type) {
    problems.push(type.problem);
    return [];
  }
  const files: FoundFile[] = [];
  for (const entry of entries) {
    if (entry.name === "package.yaml") continue;
    const path = join(directory, entry.name);
    const wrong =
      wrongFolder(entry, versionOrFileName, "<version>/<file>") ??
      (await readVersion(path, { name, type: type.type, version: entry.name }, files, problems));
    if (wrong !== undefined) problems.push({ path, reason: wrong });
  }
  return files;
}

/** Adds the version's file, or returns what is wrong with the version. */
async function readVersion(
  directory: string,
  place: Pick<FoundFile, "name" | "type" | "version">,
  files: FoundFile[],
  problems: PackageProblem[],
): Promise<string | undefined> {
  const before = problems.length;
  const entries = await list(directory, problems);
  if (problems.length > before) return undefined;
  const odd = entries.find((entry) => !entry.isFile());
  if (odd !== undefined) return `expected one regular file, but ${odd.name} is none`;
  const signatures = entries.filter((entry) => entry.name.endsWith(signatureEnding));
  const [file, second] = entries.filter((entry) => !entry.name.endsWith(signatureEnding));
  if (file === undefined) return "expected one file, found none";
  if (second !== undefined) return `expected one file, found ${file.name} and ${second.name}`;
  const wrong = wrongName(file.name, versionOrFileName);
  if (wrong !== undefined) return wrong;
  const signature = `${file.name}${signatureEnding}`;
  const stray = signatures.find((each) => each.name !== signature);
  if (stray !== undefined) return `${stray.name} signs no file: expected ${signature}`;
  files.push({
    ...place,
    fileName: file.name,
    path: join(directory, file.name),
    signaturePath: signatures.length === 0 ? undefined : join(directory, signature),
  });
  return undefined;
}

/** What is in a folder, by name. Hidden entries are passed over: copying tools write under such names. */
async function list(directory: string, problems: PackageProblem[]): Promise<Dirent[]> {
  try {
    const entries = await fs.readdir(directory, { withFileTypes: true });
    return entries.filter((entry) => !entry.name.startsWith(".")).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    const reason = isMissing(error) ? "no such folder" : `cannot be read: ${describeError(error)}`;
    problems.push({ path: directory, reason });
    return [];
  }
}

/** Links are not followed: whoever may write here must not make the server hand out other files. */
function wrongFolder(entry: Dirent, names: RegExp, layout: string): string | undefined {
  if (entry.isSymbolicLink()) return "is a symbolic link, which is not followed: expected a folder";
  if (!entry.isDirectory()) return `is no folder: the layout is ${layout}`;
  return wrongName(entry.name, names);
}

function wrongName(name: string, names: RegExp): string | undefined {
  if (names.test(name)) return undefined;
  const more = names === packageName ? "._-" : "._+~-";
  const longest = names === packageName ? 100 : 200;
  return `${JSON.stringify(name)} is no name that can be used: letters, digits and ${more}, beginning with a letter or digit, ${longest} at most`;
}
