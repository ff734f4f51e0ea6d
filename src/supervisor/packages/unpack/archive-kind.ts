import { open } from "node:fs/promises";

/** How a package's file is unpacked. */
export type ArchiveKind = "gzip" | "tar" | "zip" | "bare";

/**
 * Looks at the first bytes; names and media types say nothing certain. A Java archive is a zip, but what
 * uses it wants it whole: by its specification it begins with its META-INF folder.
 */
export async function archiveKind(path: string): Promise<ArchiveKind> {
  const head = Buffer.alloc(512);
  const file = await open(path, "r");
  try {
    await file.read(head, 0, head.length, 0);
  } finally {
    await file.close();
  }
  if (head.readUInt16BE(0) === 0x1f8b) return "gzip";
  const magic = head.toString("latin1", 0, 4);
  // The second is an archive without members.
  if (magic === "PK\x05\x06") return "zip";
  if (magic === "PK\x03\x04") return head.toString("latin1", 30, 39) === "META-INF/" ? "bare" : "zip";
  return head.toString("latin1", 257, 262) === "ustar" ? "tar" : "bare";
}
