import { describeError } from "../../foundation/errors.ts";
import { type FileReader, type ReadOptions, UnsettledFileError } from "./file-reader.ts";
import { type FoundFile, readLayout } from "./layout.ts";
import type { PackageFile, PackageProblem } from "./package-file.ts";

/** What a look at the packages folder found. */
export interface Scan {
  readonly files: readonly PackageFile[];
  /** Left out until someone mends them. */
  readonly problems: readonly PackageProblem[];
  /** Left out because they may still be copied. */
  readonly waiting: readonly PackageProblem[];
}

/** Looks at the whole folder, and reads what is new in it. @throws what aborted */
export async function scanFolder(directory: string, reader: FileReader, options: ReadOptions): Promise<Scan> {
  const layout = await readLayout(directory);
  const files: PackageFile[] = [];
  const problems = [...layout.problems];
  const waiting: PackageProblem[] = [];
  for (const found of layout.files) {
    try {
      files.push(await readFile(found, reader, options));
    } catch (error) {
      options.signal.throwIfAborted();
      const { path } = found;
      if (error instanceof UnsettledFileError) waiting.push({ path, reason: error.message });
      else problems.push({ path, reason: describeError(error) });
    }
  }
  reader.keepOnly(new Set(layout.files.flatMap(({ path, signaturePath }) => [path, signaturePath ?? path])));
  return { files, problems, waiting };
}

async function readFile(found: FoundFile, reader: FileReader, options: ReadOptions): Promise<PackageFile> {
  const { signaturePath, ...place } = found;
  const signature =
    signaturePath === undefined ? new Uint8Array() : await readSignature(signaturePath, reader, options);
  const digest = await reader.digest(place.path, options);
  if (digest.size === 0) throw new Error("is empty");
  return { ...place, ...digest, signature };
}

async function readSignature(path: string, reader: FileReader, options: ReadOptions): Promise<Uint8Array> {
  try {
    return await reader.signature(path, options);
  } catch (error) {
    if (error instanceof UnsettledFileError) throw error;
    // It is of the file beside it that the problem is told.
    throw new Error(`its signature cannot be used: ${describeError(error)}`);
  }
}
