import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { systemClock } from "../../src/foundation/clock.ts";
import { type LogFields, type Logger, silentLogger } from "../../src/foundation/logger.ts";
import type { OfferedPackage } from "../../src/supervisor/packages/offer.ts";
import { type HeldPackage, PackageStore } from "../../src/supervisor/packages/store/store.ts";
import { type TarMember, tarGzOf } from "./package-archives.ts";

export const sha256Of = (data: string | Buffer) => createHash("sha256").update(data).digest("hex");

export interface OfferOptions {
  type?: OfferedPackage["type"];
  version?: string;
  /** Hex; default is made from the other values. */
  hash?: string;
  url?: string;
}

/** An offer of this content. */
export function offerOf(
  name: string,
  content: Buffer,
  { type = "top-level", version = "1", ...rest }: OfferOptions = {},
): OfferedPackage {
  const sha256 = sha256Of(content);
  const url = rest.url ?? `https://host.invalid/${name}.tar.gz`;
  const hash = rest.hash ?? sha256Of(`${name}${version}${sha256}`);
  return { name, type, version, hash, file: { url, sha256, signature: new Uint8Array(0), headers: {} } };
}

/** A small Collector as a package. */
export function collectorArchive(words: string, more: readonly TarMember[] = []): Buffer {
  const program = { path: "otelcol", mode: 0o755, content: `#!/bin/sh\necho ${words}\n` };
  return tarGzOf([program, { path: "docs/README.md", content: words }, ...more]);
}

export async function openStore(
  directory: string,
  onError?: (fields: LogFields) => void,
): Promise<PackageStore> {
  const logger: Logger = { ...silentLogger, error: (fields) => onError?.(fields) };
  return PackageStore.open(directory, {
    clock: systemClock,
    logger,
    limits: { maxBytes: 10_000_000, maxMembers: 100 },
  });
}

/** As after a download: the file lies where downloads lie. */
export async function admit(
  store: PackageStore,
  name: string,
  content: Buffer,
  options: OfferOptions = {},
): Promise<HeldPackage> {
  const offered = offerOf(name, content, options);
  const path = store.downloadPath(offered.file.sha256);
  writeFileSync(path, content);
  return store.admit(offered, path, { signed: false });
}

const addon = Buffer.from("rows of data");

/** A host that runs version 1 with an addon, and a version 2 that is downloaded. */
export async function prepare(directory: string): Promise<void> {
  const store = await openStore(directory);
  const held = await admit(store, "otelcol", collectorArchive("one"));
  const data = await admit(store, "data", addon, { type: "addon", url: "https://host.invalid/rows.csv" });
  await store.flip(await store.makeSet([held, data]));
  const next = collectorArchive("two");
  writeFileSync(store.downloadPath(sha256Of(next)), next);
}

/** Everything that an update does to the store: the new program, and the addon under a new version. */
export async function update(directory: string): Promise<string> {
  const store = await openStore(directory);
  const next = collectorArchive("two");
  const offered = offerOf("otelcol", next, { version: "2" });
  const held =
    (await store.find(offered)) ??
    (await store.admit(offered, store.downloadPath(offered.file.sha256), { signed: false }));
  const relabelled = await store.find(
    offerOf("data", addon, { type: "addon", version: "2", url: "https://host.invalid/rows.csv" }),
  );
  if (relabelled === undefined) throw new Error("the addon was lost");
  const set = await store.makeSet([held, relabelled]);
  if (set === undefined) throw new Error("no set was made");
  await store.flip(set);
  await store.keepOnly(new Set([set.id]), new Set());
  return set.id;
}
