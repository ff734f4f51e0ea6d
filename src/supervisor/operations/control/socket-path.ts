import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";

/** The control socket's name in the state directory. */
export const controlSocketName = "control.sock";

/** A socket address holds 108 bytes on Linux and 104 on macOS, the closing zero included. */
const maxPathBytes = 103;

/**
 * Calls `use` with a path to `name` in `directory` that fits a socket address; it is good until `use` settles.
 * A longer one goes by way of an open descriptor, so that the socket has one place, wherever the directory is.
 */
export async function withSocketPath<T>(
  directory: string,
  name: string,
  use: (path: string) => Promise<T>,
): Promise<T> {
  const path = join(directory, name);
  if (Buffer.byteLength(path) <= maxPathBytes || process.platform !== "linux") return use(path);
  const handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    return await use(`/proc/self/fd/${handle.fd}/${name}`);
  } finally {
    await handle.close();
  }
}
