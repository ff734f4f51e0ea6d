/** What the configuration of a Collector is to the host; everything but `desired` shows in the health status. */
export const roles = ["desired", "last-known-good", "fallback", "bootstrap"] as const;
export type Role = (typeof roles)[number];
