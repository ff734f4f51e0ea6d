import { createReadStream } from "node:fs";
import { chmod, mkdir, rm } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { assertNever } from "../../../foundation/assert-never.ts";
import { archiveKind } from "./archive-kind.ts";
import { filePieces } from "./file-pieces.ts";
import { asPackageProblem } from "./package-problem.ts";
import { readTar } from "./tar-reader.ts";
import { UnpackedTree, type UnpackLimits } from "./unpacked-tree.ts";
import { readZip } from "./zip-reader.ts";

/** What a file becomes that is no archive. */
export interface BareFile {
  name: string;
  /** Permission bits. */
  mode: number;
}

/**
 * Unpacks a package's file (tar, also by gzip, or zip; anything else is a bare file) into the new folder
 * `into`, which is on disk when this resolves. Memory use does not depend on the size. The folder must not exist,
 * and after a failure it does not.
 * @throws PackageProblem when the package is at fault, system errors when this host is.
 */
export async function unpackPackage(
  archive: string,
  into: string,
  limits: UnpackLimits,
  bare: BareFile,
): Promise<{ files: readonly string[] }> {
  await mkdir(into);
  try {
    // The umask has no say: another user may have to read it.
    await chmod(into, 0o755);
    const tree = new UnpackedTree(into, limits);
    await readInto(tree, archive, limits, bare);
    await tree.sync();
    return { files: tree.files };
  } catch (error) {
    await rm(into, { recursive: true, force: true });
    throw error;
  }
}

async function readInto(
  tree: UnpackedTree,
  archive: string,
  limits: UnpackLimits,
  bare: BareFile,
): Promise<void> {
  const kind = await archiveKind(archive);
  switch (kind) {
    case "gzip":
      try {
        await pipeline(createReadStream(archive), createGunzip(), (content: AsyncIterable<Buffer>) =>
          readTar(content, tree, limits),
        );
      } catch (error) {
        throw asPackageProblem("the gzip file cannot be unpacked", error);
      }
      return;
    case "tar":
      return readTar(filePieces(archive), tree, limits);
    case "zip":
      return readZip(archive, tree);
    case "bare":
      await tree.addFile(bare.name, bare.mode, filePieces(archive));
      return;
    default:
      return assertNever(kind);
  }
}
