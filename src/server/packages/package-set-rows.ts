import * as z from "zod";
import type { ContentRows } from "../offers/contents.ts";
import { createPackageSet, type PackageSet } from "./package-set.ts";

const bytes = z.base64().transform((text) => new Uint8Array(Buffer.from(text, "base64")));

const storedFiles = z.array(
  z.object({
    name: z.string(),
    type: z.enum(["top-level", "addon"]),
    version: z.string(),
    fileName: z.string(),
    path: z.string(),
    identity: z.string(),
    size: z.number(),
    modified: z.coerce.date(),
    sha256: z.string(),
    signature: bytes,
  }),
);

/** Sets of packages by hash: what was chosen, not the files. */
export const packageSetRows: ContentRows<PackageSet> = {
  async save(transaction, { packages, hashHex }, now) {
    const files = packages.map((file) => ({
      ...file,
      hash: undefined,
      signature: Buffer.from(file.signature).toString("base64"),
    }));
    await transaction
      .insertInto("package_sets")
      .values({ hash: hashHex, files: JSON.stringify(files), created_at: now })
      .onConflict((conflict) => conflict.column("hash").doNothing())
      .execute();
  },
  async load(query, hashHex) {
    const row = await query
      .selectFrom("package_sets")
      .select("files")
      .where("hash", "=", hashHex)
      .executeTakeFirst();
    return row && createPackageSet(storedFiles.parse(JSON.parse(row.files)));
  },
};
