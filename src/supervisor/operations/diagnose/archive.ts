import { gzipSync } from "node:zlib";
import { Header } from "tar/header";

/** A text file of an archive. */
export interface ArchiveFile {
  /** Relative, with slashes. */
  name: string;
  text: string;
}

const blockBytes = 512;

/** A gzipped tar file of these texts, for their owner alone. `at` is milliseconds since the Unix epoch. */
export function makeArchive(files: readonly ArchiveFile[], at: number): Buffer {
  const blocks: Buffer[] = [];
  for (const { name, text } of files) {
    const data = Buffer.from(text);
    const header = new Header({
      path: name,
      mode: 0o600,
      size: data.length,
      mtime: new Date(at),
      type: "File",
      uid: 0,
      gid: 0,
    });
    const block = Buffer.alloc(blockBytes);
    // A path that does not fit is cut, which is no loss for names that are made here.
    header.encode(block, 0);
    const padding = Buffer.alloc((blockBytes - (data.length % blockBytes)) % blockBytes);
    blocks.push(block, data, padding);
  }
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(2 * blockBytes)]));
}
