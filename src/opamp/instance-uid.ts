import { randomBytes } from "node:crypto";
import { toHex } from "../foundation/hex.ts";

/** Formats 16 bytes as a canonical lower-case UUID. Other lengths give plain hexadecimal. */
export function formatInstanceUid(uid: Uint8Array): string {
  const hex = toHex(uid);
  if (uid.length !== 16) return hex;
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** The 16 bytes of a UUID, with or without hyphens; undefined when the text is not one. */
export function parseInstanceUid(text: string): Uint8Array | undefined {
  const compact = /^[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}$/i.test(text)
    ? text.replaceAll("-", "")
    : undefined;
  return compact === undefined ? undefined : new Uint8Array(Buffer.from(compact, "hex"));
}

/** Whether these bytes may name an Agent: 16 of them, not all zero (AI5, SI4). */
export function isUsableInstanceUid(uid: Uint8Array): boolean {
  return uid.length === 16 && uid.some((byte) => byte !== 0);
}

/** A new UUIDv7 (AI1). `now` is milliseconds since the Unix epoch. */
export function newInstanceUid(now: number): Uint8Array {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(now, 0, 6);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return new Uint8Array(bytes);
}
