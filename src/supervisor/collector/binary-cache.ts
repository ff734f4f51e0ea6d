import { randomUUID } from "node:crypto";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import * as z from "zod/mini";
import type { IdentifiedBinary } from "./binary.ts";
import { identifiedBinarySchema } from "./binary-output.ts";

/** Raised when an entry means something else than before: what older versions wrote is then asked anew. */
const format = 1;
/** The current binary, the one before it, a candidate, and one to spare. */
const maxEntries = 4;

const cacheSchema = z.object({ format: z.literal(format), binaries: z.array(identifiedBinarySchema) });

/** The answer for this very file, if the cache has one. A damaged cache has none. */
export async function readCachedBinary(
  cachePath: string,
  path: string,
  fileIdentity: string,
): Promise<IdentifiedBinary | undefined> {
  const found = (await readAll(cachePath)).find((binary) => binary.fileIdentity === fileIdentity);
  return found === undefined ? undefined : { ...found, path };
}

/** Keeps an answer. It can always be asked again, so that a cache that cannot be written is no failure. */
export async function writeCachedBinary(cachePath: string, binary: IdentifiedBinary): Promise<void> {
  const others = (await readAll(cachePath)).filter(
    ({ fileIdentity }) => fileIdentity !== binary.fileIdentity,
  );
  const binaries = [binary, ...others].slice(0, maxEntries);
  const temporary = `${cachePath}.${randomUUID()}`;
  try {
    await writeFile(temporary, JSON.stringify({ format, binaries }), { mode: 0o600 });
    await rename(temporary, cachePath);
  } catch {
    await rm(temporary, { force: true });
  }
}

/** Every Collector that was identified here lately. */
export function listCachedBinaries(cachePath: string): Promise<readonly IdentifiedBinary[]> {
  return readAll(cachePath);
}

async function readAll(cachePath: string): Promise<IdentifiedBinary[]> {
  try {
    return z.parse(cacheSchema, JSON.parse(await readFile(cachePath, "utf8"))).binaries;
  } catch {
    return [];
  }
}
