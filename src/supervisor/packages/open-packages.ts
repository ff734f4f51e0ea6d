import type { Clock } from "../../foundation/clock.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { SupervisorSettings } from "../settings/supervisor-settings.ts";
import { Packages } from "./packages.ts";

/**
 * The packages of this host; undefined where none are accepted and none are in use.
 * @throws when their directory or a trust key cannot be used.
 */
export async function openPackages(
  directory: string,
  { capabilities, packages }: SupervisorSettings,
  { inUse, ...deps }: { inUse: boolean; clock: Clock; logger: Logger },
): Promise<Packages | undefined> {
  if (!capabilities.acceptsPackages && !inUse) return undefined;
  return Packages.open(directory, packages, deps);
}
