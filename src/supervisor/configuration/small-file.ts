import { constants, open } from "node:fs/promises";

const defaultMaxBytes = 1_048_576;

/**
 * Text of a file that a remote configuration names, and that may be anything on this host.
 * @throws when it is a pipe or a device, which may never end, or larger than `maxBytes`.
 */
export async function readSmallFile(path: string, maxBytes = defaultMaxBytes): Promise<string> {
  // Else opening a pipe waits for somebody to write to it.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new Error(`${path} is no regular file`);
    // The size says nothing of files in /proc, nor of one that is being written.
    const buffer = Buffer.alloc(maxBytes + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length <= maxBytes; length += read) {
      ({ bytesRead: read } = await file.read(buffer, length, buffer.length - length, null));
    }
    if (length > maxBytes) throw new Error(`${path} is larger than ${maxBytes} bytes`);
    return buffer.toString("utf8", 0, length);
  } finally {
    await file.close();
  }
}
