import { type FileHandle, open } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { isMissing } from "../../../foundation/errors.ts";
import { type Asked, interpretAnswer, type Refusal, rangeHeaders, validatorOf } from "./answer.ts";
import type { DownloadDeps } from "./contract.ts";
import { httpGet, RedirectError } from "./http-get.ts";
import type { Lifeline } from "./lifeline.ts";
import type { Origin } from "./partial-file.ts";
import type { Source } from "./sources.ts";

const chunkBytes = 64 * 1024;

/** What a source has to say to a question; to be disposed of in every case. */
export type Opened = Disposable &
  (
    | {
        readonly t: "body";
        readonly start: number;
        /** Of the whole file, as the source claims. */
        readonly total: number | undefined;
        /** False where the end of the connection is the end of the file, so that a break looks like it. */
        readonly endIsKnown: boolean;
        readonly origin: Origin;
        readonly chunks: AsyncIterator<Uint8Array>;
      }
    | { readonly t: "misfit" }
    | { readonly t: "refused"; readonly refusal: Refusal }
  );

/**
 * Asks a source for the bytes from `asked.from` on.
 * @throws what breaks the connection, or the lifeline's reason.
 */
export async function openSource(
  source: Source,
  asked: Asked,
  lifeline: Lifeline,
  deps: Pick<DownloadDeps, "clock" | "tls" | "proxyFor">,
): Promise<Opened> {
  return source.t === "file" ? openFile(source, asked, lifeline) : openHttp(source, asked, lifeline, deps);
}

async function openHttp(
  source: Extract<Source, { t: "http" }>,
  asked: Asked,
  lifeline: Lifeline,
  deps: Pick<DownloadDeps, "clock" | "tls" | "proxyFor">,
): Promise<Opened> {
  try {
    const exchange = await httpGet(source, rangeHeaders(asked), lifeline, deps);
    const { response } = exchange;
    const dispose = { [Symbol.dispose]: () => exchange[Symbol.dispose]() };
    const answer = interpretAnswer(response.statusCode ?? 0, response.headers, asked, deps.clock.now());
    if (answer.t !== "body") return { ...answer, ...dispose };
    const origin = { source: source.key, ...validatorOf(response.headers), totalBytes: answer.total };
    return { ...answer, origin, chunks: received(response), ...dispose };
  } catch (error) {
    if (error instanceof RedirectError) return refuse(error.message);
    throw error;
  }
}

/**
 * Everything that came in, also what came in just before the connection broke: iterating the stream would
 * drop that, and it would be fetched again.
 */
async function* received(response: IncomingMessage): AsyncGenerator<Uint8Array, void> {
  let wake = (): void => undefined;
  for (const event of ["readable", "end", "error", "close"]) response.on(event, () => wake());
  for (;;) {
    const chunk = response.read() as Uint8Array | null;
    if (chunk !== null) yield chunk;
    else if (response.readableEnded) return;
    else if (response.destroyed) throw response.errored ?? new Error("the connection was closed");
    else {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
}

async function openFile(
  source: Extract<Source, { t: "file" }>,
  asked: Asked,
  lifeline: Lifeline,
): Promise<Opened> {
  let handle: FileHandle;
  try {
    handle = await lifeline.hear(open(source.path, "r"));
  } catch (error) {
    if (isMissing(error)) return refuse("it is not there");
    throw error;
  }
  const close = () => void handle.close().catch(() => undefined);
  try {
    const { size, mtimeMs, isFile } = await lifeline.hear(look(handle));
    if (!isFile) {
      close();
      return refuse("it is not a file");
    }
    const start = asked.from <= size ? asked.from : 0;
    return {
      t: "body",
      start,
      total: size,
      endIsKnown: true,
      origin: { source: source.key, totalBytes: size },
      chunks: chunksOf(handle, { start, size, mtimeMs }),
      [Symbol.dispose]: close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

async function look(handle: FileHandle): Promise<{ size: number; mtimeMs: number; isFile: boolean }> {
  const stats = await handle.stat();
  return { size: stats.size, mtimeMs: stats.mtimeMs, isFile: stats.isFile() };
}

/** Fails at the end when the file is not the one it was at the start: somebody is still copying it there. */
async function* chunksOf(
  handle: FileHandle,
  before: { start: number; size: number; mtimeMs: number },
): AsyncGenerator<Uint8Array, void> {
  const buffer = Buffer.allocUnsafe(chunkBytes);
  for (let at = before.start; at < before.size; ) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(chunkBytes, before.size - at), at);
    if (bytesRead === 0) break;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
  const now = await handle.stat();
  if (now.size !== before.size || now.mtimeMs !== before.mtimeMs) {
    throw new Error("it was changed while it was read");
  }
}

function refuse(reason: string): Opened {
  return { t: "refused", refusal: { reason, pace: "slow" }, [Symbol.dispose]: () => undefined };
}
