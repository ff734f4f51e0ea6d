import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { create } from "@bufbuild/protobuf";
import { parse } from "yaml";
import * as z from "zod/mini";
import { describeError, isMissing } from "../../foundation/errors.ts";
import { toHex } from "../../foundation/hex.ts";
import { type PackagesAvailable, PackagesAvailableSchema, PackageType } from "../../opamp/messages.ts";

/** The file that says what is offered; it is to be copied last. */
export const dropFolderManifest = "offer.yaml";

const fileName = z.string().check(
  z.refine((name) => name !== "" && basename(name) === name && !/^\.\.?$/.test(name), {
    error: "the name of a file in this folder",
  }),
);

const manifestSchema = z.strictObject({
  packages: z.record(
    z.string(),
    z.strictObject({
      type: z._default(z.enum(["top-level", "addon"]), "top-level"),
      version: z.string(),
      file: fileName,
      /** Hexadecimal. */
      sha256: z.string().check(z.regex(/^[0-9a-fA-F]{64}$/, { error: "64 hexadecimal digits" })),
      /** Of a file that holds the signature. */
      signature: z.optional(fileName),
    }),
  ),
});

/**
 * What somebody without a network has put into `packages.drop_folder`; undefined while there is no manifest.
 * @throws Error that names the manifest and what is wrong with it.
 */
export async function readDropFolder(directory: string): Promise<PackagesAvailable | undefined> {
  const path = join(directory, dropFolderManifest);
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  try {
    const manifest = manifestSchema.safeParse(parse(text));
    if (!manifest.success) throw new Error(describeIssue(manifest.error.issues[0]));
    return await toOffer(directory, manifest.data);
  } catch (error) {
    throw new Error(`${path} cannot be used: ${describeError(error)}`, { cause: error });
  }
}

async function toOffer(
  directory: string,
  { packages }: z.infer<typeof manifestSchema>,
): Promise<PackagesAvailable> {
  const entries = await Promise.all(
    Object.entries(packages).map(async ([name, { type, version, file, sha256, signature }]) => {
      const path = join(directory, file);
      await stat(path);
      const signed = signature === undefined ? new Uint8Array() : await readFile(join(directory, signature));
      const hash = digest([type, version, sha256.toLowerCase(), toHex(signed)]);
      const available = {
        type: type === "addon" ? PackageType.PackageType_Addon : PackageType.PackageType_TopLevel,
        version,
        hash,
        file: {
          downloadUrl: pathToFileURL(path).href,
          contentHash: new Uint8Array(Buffer.from(sha256, "hex")),
          signature: new Uint8Array(signed),
        },
      };
      return [name, available] as const;
    }),
  );
  const hashes = entries.map(([name, { hash }]) => `${name} ${toHex(hash)}`);
  const allPackagesHash = digest(hashes.toSorted());
  return create(PackagesAvailableSchema, { packages: Object.fromEntries(entries), allPackagesHash });
}

function digest(parts: readonly string[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash("sha256").update(JSON.stringify(parts)).digest());
}

/** zod/mini has no messages of its own. */
function describeIssue(issue: z.core.$ZodIssue | undefined): string {
  if (issue === undefined) return "it is not valid";
  const where = issue.path.join(".") || "the whole";
  if (issue.code === "unrecognized_keys") return `${where}: unknown ${issue.keys.join(", ")}`;
  if (issue.code === "invalid_type") return `${where}: it is to be a ${issue.expected}`;
  if (issue.code === "invalid_value") return `${where}: it is to be one of ${issue.values.join(", ")}`;
  return `${where}: it is to be ${issue.message}`;
}
