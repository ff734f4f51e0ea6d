import { createHash, timingSafeEqual } from "node:crypto";

/** Whether an Authorization header is `Bearer <token>`, in a time that tells nothing about the token. */
export function carriesToken(authorization: string | undefined, token: string): boolean {
  // Digests, because timingSafeEqual wants equal lengths.
  return timingSafeEqual(digest(authorization ?? ""), digest(`Bearer ${token}`));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
