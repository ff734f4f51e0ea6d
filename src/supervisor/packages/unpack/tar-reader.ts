import type { Header } from "tar/header";
import type { Pax } from "tar/pax";
import { ByteReader } from "./byte-reader.ts";
import { PackageProblem } from "./package-problem.ts";
import type { UnpackedTree, UnpackLimits } from "./unpacked-tree.ts";

const blockBytes = 512;
/** Of the headers that hold a long name. */
const maxMetadataBytes = 1_048_576;

/** What a header is for; a type that is not here is refused. */
const roles: Readonly<Record<string, "pax" | "long name" | "skipped" | "directory" | "file">> = {
  ExtendedHeader: "pax",
  OldExtendedHeader: "pax",
  NextFileHasLongPath: "long name",
  OldGnuLongPath: "long name",
  // What these say of all members, or of the targets of links, is of no use here.
  GlobalExtendedHeader: "skipped",
  NextFileHasLongLinkpath: "skipped",
  Directory: "directory",
  File: "file",
  OldFile: "file",
  ContiguousFile: "file",
};

const refusedTypes: Readonly<Record<string, string>> = {
  SymbolicLink: "is a symbolic link",
  Link: "is a hard link",
  CharacterDevice: "is a device",
  BlockDevice: "is a device",
  FIFO: "is a FIFO",
};

/**
 * Unpacks a tar stream. Headers are decoded by `tar`; its parser and its extraction are not used, because
 * they guess at compression again, keep in memory what follows the end, and write links.
 * @throws PackageProblem
 */
export async function readTar(
  source: AsyncIterable<Uint8Array>,
  tree: UnpackedTree,
  limits: UnpackLimits,
): Promise<void> {
  const [tarHeader, tarPax] = await Promise.all([import("tar/header"), import("tar/pax")]);
  const overhead = maxMetadataBytes + 4 * blockBytes * limits.maxMembers;
  const reader = new ByteReader(source, limits.maxBytes + overhead);
  let pax: Pax | undefined;
  let longName: string | undefined;
  for (let isFirst = true; ; isFirst = false) {
    const block = await reader.read(blockBytes).catch((error: unknown) => {
      throw isFirst && error instanceof PackageProblem ? notTar() : error;
    });
    const header = block && decodeHeader(() => new tarHeader.Header(block, 0, pax), isFirst);
    if (header === undefined || header.nullBlock) {
      if (isFirst) throw notTar();
      break;
    }
    const size = header.size;
    const name = longName ?? pax?.path ?? header.path ?? "";
    if (size === undefined) throw new PackageProblem(`member ${JSON.stringify(name)} has no valid size`);
    switch (roles[header.type]) {
      case "pax": {
        const text = await readMetadata(reader, size);
        if (text.includes("GNU.sparse")) throw new PackageProblem("the archive has sparse files");
        pax = tarPax.Pax.parse(text, pax);
        break;
      }
      case "long name":
        longName = (await readMetadata(reader, size)).replace(/\0[\s\S]*$/, "");
        break;
      case "skipped":
        await readMetadata(reader, size);
        break;
      case "directory":
        await tree.addDirectory(name);
        pax = longName = undefined;
        break;
      case "file":
        await tree.addFile(name, header.mode ?? 0, reader.take(size));
        await reader.read(padding(size));
        pax = longName = undefined;
        break;
      case undefined: {
        const what = refusedTypes[header.type] ?? `is of the unsupported type ${header.type}`;
        throw new PackageProblem(
          `member ${JSON.stringify(name)} ${what}; a package may hold only files and folders`,
        );
      }
    }
  }
  await reader.drain();
}

function decodeHeader(decode: () => Header, isFirst: boolean): Header {
  let header: Header;
  try {
    header = decode();
  } catch (cause) {
    throw isFirst ? notTar() : new PackageProblem("a header of the tar archive is damaged", { cause });
  }
  if (header.nullBlock || header.cksumValid) return header;
  throw isFirst ? notTar() : new PackageProblem("a header of the tar archive has a wrong checksum");
}

async function readMetadata(reader: ByteReader, size: number): Promise<string> {
  if (size > maxMetadataBytes)
    throw new PackageProblem(`the archive has a header of ${size} bytes, ${maxMetadataBytes} are the most`);
  const text = (await reader.read(size))?.toString("utf8") ?? "";
  await reader.read(padding(size));
  return text;
}

const padding = (size: number) => (blockBytes - (size % blockBytes)) % blockBytes;

function notTar(): PackageProblem {
  return new PackageProblem(
    "the file is compressed by gzip, but what is in it is not a tar archive; offer a .tar.gz, a .zip, or the file itself",
  );
}
