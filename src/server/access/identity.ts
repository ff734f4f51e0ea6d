import type { Role } from "./role.ts";

/** Somebody who uses the management API. */
export interface Identity {
  /** How they are called in the audit log: the name of a key, or the subject of a token. */
  readonly name: string;
  readonly role: Role;
  readonly by: "api-key" | "oidc" | "loopback";
}
