import { createHash } from "node:crypto";

/** SHA-256 of a list of fields. Each is preceded by its length, so that no two different lists read the same. */
export function digestFields(fields: Iterable<string | Uint8Array>): Buffer {
  const digest = createHash("sha256");
  for (const field of fields) {
    const bytes = typeof field === "string" ? Buffer.from(field) : field;
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(bytes.length));
    digest.update(length).update(bytes);
  }
  return digest.digest();
}
