import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { crc32, createInflateRaw } from "node:zlib";
import type { Entry } from "yauzl";
import { asPackageProblem, PackageProblem } from "./package-problem.ts";
import type { UnpackedTree } from "./unpacked-tree.ts";

const stored = 0;
const deflated = 8;
/** Upper byte of "version made by" of archives that carry Unix modes: Unix and macOS. */
const unixHosts: readonly number[] = [3, 19];
const typeMask = 0o170000;
const [regularType, directoryType, noType] = [0o100000, 0o040000, 0];

/**
 * Unpacks a zip file. Only the directory at its end counts; sizes and checksums in it have to be true.
 * @throws PackageProblem
 */
export async function readZip(path: string, tree: UnpackedTree): Promise<void> {
  const yauzl = await import("yauzl");
  try {
    const archive = await yauzl.openPromise(path, { strictFileNames: true });
    for await (const entry of archive.eachEntry()) {
      const mode = unixMode(entry);
      if (isDirectory(entry, mode)) {
        await tree.addDirectory(entry.fileName);
        continue;
      }
      const raw = await archive.openReadStreamPromise(entry, { decodeFileData: false });
      await addFile(entry, mode === undefined ? undefined : mode & 0o777, raw, tree);
    }
  } catch (error) {
    throw asPackageProblem("the zip archive cannot be unpacked", error);
  }
}

function isDirectory(entry: Entry, mode: number | undefined): boolean {
  const refuse = (why: string) => new PackageProblem(`member ${JSON.stringify(entry.fileName)} ${why}`);
  if (entry.isEncrypted()) throw refuse("is encrypted");
  const type = (mode ?? 0) & typeMask;
  if (![regularType, directoryType, noType].includes(type))
    throw refuse("is a link or a device; a package may hold only files and folders");
  const named = entry.fileName.endsWith("/");
  if (named !== (type === directoryType) && type !== noType)
    throw refuse("is a folder by its name or by its type, but not by both");
  if (named && entry.uncompressedSize > 0) throw refuse("is a folder with content");
  if (entry.compressionMethod !== stored && entry.compressionMethod !== deflated)
    throw refuse(`is compressed by method ${entry.compressionMethod}; only deflate is supported`);
  return named;
}

/** undefined where the archive carries no Unix modes. */
function unixMode({ versionMadeBy, externalFileAttributes }: Entry): number | undefined {
  const mode = externalFileAttributes >>> 16;
  return unixHosts.includes(versionMadeBy >> 8) && mode !== 0 ? mode : undefined;
}

async function addFile(
  entry: Entry,
  mode: number | undefined,
  raw: Readable,
  tree: UnpackedTree,
): Promise<void> {
  let sum = 0;
  const write = async (content: AsyncIterable<Buffer>) => {
    const summed = async function* () {
      for await (const chunk of content) {
        sum = crc32(chunk, sum);
        yield chunk;
      }
    };
    const bytes = await tree.addFile(entry.fileName, mode, summed());
    if (bytes !== entry.uncompressedSize || sum !== entry.crc32)
      throw new PackageProblem(
        `member ${JSON.stringify(entry.fileName)} is damaged: its size or checksum is wrong`,
      );
  };
  if (entry.compressionMethod === stored) await pipeline(raw, write);
  else await pipeline(raw, createInflateRaw(), write);
}
