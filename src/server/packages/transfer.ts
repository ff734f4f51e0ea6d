import { promises as fs } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import type { Clock } from "../../foundation/clock.ts";
import { identityOf, openFlags } from "./file-reader.ts";
import type { PackageFile } from "./package-file.ts";

/** A client that takes nothing for so long is cut off. It can go on where it was. */
export const stallTimeoutMs = 300_000;

/** Of the file in memory for one client, besides what its connection holds. */
const chunkBytes = 64 * 1024;

/** Opens a file of the catalogue, or undefined when it is gone or no longer the one that was hashed. */
export async function openPackageFile({ path, identity }: PackageFile): Promise<FileHandle | undefined> {
  let handle: FileHandle;
  try {
    handle = await fs.open(path, openFlags);
  } catch {
    return undefined;
  }
  if (identityOf(await handle.stat({ bigint: true })) === identity) return handle;
  await handle.close();
  return undefined;
}

export interface TransferPart {
  /** Offsets of the first and the last byte. */
  first: number;
  last: number;
}

/**
 * Sends a part of an open file as the body of a response, no faster than the client takes it.
 * @throws when the client went away or stalled, or the file could not be read; the response is cut off then.
 */
export async function transfer(
  handle: FileHandle,
  response: ServerResponse,
  part: TransferPart,
  clock: Clock,
): Promise<void> {
  const progress = { sent: 0, stalled: false };
  const stopWatching = watch(response, progress, clock);
  try {
    await send(handle, response, part, progress);
  } catch (cause) {
    response.destroy();
    if (!progress.stalled) throw cause;
    throw new Error(`the client took nothing for ${stallTimeoutMs / 1000} s`);
  } finally {
    stopWatching();
  }
}

/** One buffer for all of it, filled again when it was taken: streams would leave one behind for every chunk. */
async function send(
  handle: FileHandle,
  response: ServerResponse,
  { first, last }: TransferPart,
  progress: { sent: number },
): Promise<void> {
  const length = last - first + 1;
  const buffer = Buffer.allocUnsafeSlow(Math.min(chunkBytes, length));
  while (progress.sent < length) {
    const wanted = Math.min(buffer.length, length - progress.sent);
    const { bytesRead } = await handle.read(buffer, 0, wanted, first + progress.sent);
    // The length was promised, and a client that waits for the rest would wait for ever.
    if (bytesRead === 0) throw new Error("the file is shorter than it was");
    await taken(response, (done) => response.write(buffer.subarray(0, bytesRead), done));
    progress.sent += bytesRead;
  }
  await taken(response, (done) => response.end(done));
}

/** Resolves when the operating system has what was written; rejects when the connection ends first. */
function taken(
  response: ServerResponse,
  write: (done: (error?: Error | null) => void) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const gone = () => reject(new Error("the client went away"));
    if (response.destroyed) return gone();
    response.once("close", gone);
    write((error) => {
      response.off("close", gone);
      if (error === undefined || error === null) resolve();
      else gone();
    });
  });
}

function watch(
  response: ServerResponse,
  progress: { readonly sent: number; stalled: boolean },
  clock: Clock,
): () => void {
  let before = progress.sent;
  const look = () => {
    if (progress.sent === before) {
      progress.stalled = true;
      response.destroy();
      return;
    }
    before = progress.sent;
    timer = clock.setTimer(stallTimeoutMs, look);
  };
  let timer = clock.setTimer(stallTimeoutMs, look);
  return () => timer.cancel();
}
