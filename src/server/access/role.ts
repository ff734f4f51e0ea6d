/** What people may do, each with what those before it may: look; change what runs; decide who may do what. */
export const roles = ["viewer", "operator", "admin"] as const;
export type Role = (typeof roles)[number];

/** Whether a role is enough where another is needed. */
export function covers(has: Role, needed: Role): boolean {
  return roles.indexOf(has) >= roles.indexOf(needed);
}
