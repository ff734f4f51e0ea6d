// The generated enums carry their own name in every value; people and JSON see the bare word.

const remoteConfigStatuses = ["UNSET", "APPLIED", "APPLYING", "FAILED"] as const;
const connectionSettingsStatuses = ["UNSET", "APPLIED", "APPLYING", "FAILED"] as const;
const packageStatuses = [
  "INSTALLED",
  "INSTALL_PENDING",
  "INSTALLING",
  "INSTALL_FAILED",
  "DOWNLOADING",
] as const;

/** `RemoteConfigStatuses` in words; a number newer than this code as `UNKNOWN_<n>`. */
export function remoteConfigStatusName(status: number): string {
  return remoteConfigStatuses[status] ?? `UNKNOWN_${status}`;
}

/** `ConnectionSettingsStatuses` in words. */
export function connectionSettingsStatusName(status: number): string {
  return connectionSettingsStatuses[status] ?? `UNKNOWN_${status}`;
}

/** `PackageStatusEnum` in words. */
export function packageStatusName(status: number): string {
  return packageStatuses[status] ?? `UNKNOWN_${status}`;
}
