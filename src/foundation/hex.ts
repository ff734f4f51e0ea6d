/** Bytes as lower-case hexadecimal, the way hashes are kept on disk, logged and compared. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
