import { open } from "node:fs/promises";

const pieceBytes = 65_536;

/**
 * The bytes of a file, piece by piece, all in one buffer: a piece counts only until the next is asked for. A
 * read stream makes a new buffer for each, and leaves tens of megabytes of them to the garbage collector.
 */
export async function* filePieces(path: string): AsyncGenerator<Uint8Array> {
  const file = await open(path, "r");
  try {
    const buffer = new Uint8Array(pieceBytes);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}
