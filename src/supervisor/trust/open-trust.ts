import type { TrustSettings } from "../settings/supervisor-settings.ts";
import type { ConfigurationTrust, ConfigurationTrustDeps } from "./configuration-trust.ts";

/**
 * Loads what checks signatures, where the settings name keys.
 * @throws when a key cannot be read and nothing `mayWait` for it.
 */
export async function openTrust(
  settings: TrustSettings,
  deps: ConfigurationTrustDeps,
): Promise<ConfigurationTrust | undefined> {
  if (settings.configKeys.length === 0) return undefined;
  const { ConfigurationTrust } = await import("./configuration-trust.ts");
  return ConfigurationTrust.open(settings, deps);
}
