import { createHash } from "node:crypto";
import * as z from "zod/mini";
import { PackageProblem } from "../unpack/package-problem.ts";

/** A package that is unpacked on this host. */
export interface HeldPackage {
  name: string;
  type: "top-level" | "addon";
  version: string;
  /** Of the package, as offered: opaque, hex (AP6). */
  hash: string;
  /** Of the file it was unpacked from, hex. */
  sha256: string;
  /** Differs where the content, the version or the package's hash does. */
  id: string;
  /** Where it is unpacked. Never changed once there. */
  directory: string;
  /** Path of the Collector in it; undefined for an addon. */
  executable: string | undefined;
  /** Whether a trusted key had signed it when it came. */
  signed: boolean;
}

/** What tells one version of a package from another. */
export type PackageLabel = Pick<HeldPackage, "name" | "version" | "hash" | "sha256">;

const hex = z.string().check(z.regex(/^[0-9a-f]*$/));

/** `versions/FOLDER/ID.json`, written last: without it there is no package. */
export const recordSchema = z.object({
  name: z.string(),
  type: z.enum(["top-level", "addon"]),
  version: z.string(),
  hash: hex,
  sha256: hex,
  /** Relative to the package's folder. */
  executable: z.nullable(z.string()),
  /** The name that a file without an archive got from its URL. */
  bare_name: z.string(),
  installed_at: z.string(),
  signed: z._default(z.boolean(), false),
  /** Bytes of the files without which it is damaged: an addon's all, else the executable's. */
  sizes: z.record(z.string(), z.number()),
});

export type PackageRecord = z.infer<typeof recordSchema>;

/**
 * Name of a package's folder and of its link in a set.
 * @throws PackageProblem for a name that could lead elsewhere.
 */
export function folderOf(name: string): string {
  if (name === "") return "_";
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(name)) return name;
  throw new PackageProblem(
    "a package's name has to begin with a letter or digit and may hold letters, digits, '.', '_' and '-', 100 at most",
  );
}

export function packageIdOf({ sha256, hash, version }: PackageLabel): string {
  return shortHash([sha256, hash, version]);
}

/** The same packages give the same id, in any order. */
export function setIdOf(packages: readonly Pick<HeldPackage, "name" | "id">[]): string {
  return shortHash(packages.map(({ name, id }) => `${folderOf(name)}/${id}`).sort());
}

function shortHash(parts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 16);
}

/** Ids of packages and of sets. */
export const idPattern = /^[0-9a-f]{16}$/;
