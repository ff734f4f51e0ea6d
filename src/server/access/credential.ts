import { createHash, randomInt } from "node:crypto";

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const length = 32;

/** A new secret, `opamp_` and 32 characters: 190 bits, so that a plain hash of it is safe to keep. */
export function newSecret(): string {
  return `opamp_${Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join("")}`;
}

/** Whether a text has the form of such a secret. */
export function isSecret(text: string): boolean {
  return /^opamp_[0-9A-Za-z]{32}$/.test(text);
}

/** What is kept of it: SHA-256, hexadecimal. */
export function hashSecret(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}
