import * as z from "zod/mini";
import { boolean, type SettingSchema } from "../../foundation/settings-file/field.ts";
import { defaulted, optional, section } from "../../foundation/settings-file/section.ts";
import type { CapabilitySettings } from "./supervisor-settings.ts";

const keys = section({
  acceptsRemoteConfig: defaulted("accepts_remote_config", boolean(), false),
  acceptsRestartCommand: defaulted("accepts_restart_command", boolean(), false),
  acceptsOpampConnectionSettings: defaulted("accepts_opamp_connection_settings", boolean(), false),
  acceptsOtherConnectionSettings: defaulted("accepts_other_connection_settings", boolean(), false),
  reportsEffectiveConfig: defaulted("reports_effective_config", boolean(), true),
  reportsOwnMetrics: defaulted("reports_own_metrics", boolean(), true),
  reportsOwnLogs: defaulted("reports_own_logs", boolean(), false),
  reportsOwnTraces: defaulted("reports_own_traces", boolean(), false),
  reportsHealth: defaulted("reports_health", boolean(), true),
  reportsRemoteConfig: defaulted("reports_remote_config", boolean(), false),
  reportsAvailableComponents: defaulted("reports_available_components", boolean(), false),
  reportsHeartbeat: defaulted("reports_heartbeat", boolean(), true),
  acceptsPackages: defaulted("accepts_packages", boolean(), false),
  reportsPackageStatuses: optional("reports_package_statuses", boolean()),
  reportsConnectionSettingsStatus: optional("reports_connection_settings_status", boolean()),
});

/** `capabilities`, with the reference's defaults. */
export const capabilitiesSection: SettingSchema<CapabilitySettings> = z.pipe(
  keys,
  z.transform(({ reportsPackageStatuses, reportsConnectionSettingsStatus, ...others }) => ({
    ...others,
    reportsPackageStatuses: reportsPackageStatuses ?? others.acceptsPackages,
    reportsConnectionSettingsStatus:
      reportsConnectionSettingsStatus ??
      (others.acceptsOpampConnectionSettings || others.acceptsOtherConnectionSettings),
  })),
);
