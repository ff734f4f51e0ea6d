import { describeError, errorCode } from "../../foundation/errors.ts";
import { field, type SettingSchema, textOf } from "../../foundation/settings-file/field.ts";
import { describeValue } from "../../foundation/settings-file/setting-value.ts";
import { formatInstanceUid, isUsableInstanceUid, parseInstanceUid } from "../../opamp/instance-uid.ts";
import { configFileMarkers } from "./supervisor-settings.ts";

/** A path that exists now; relative ones start at the working directory. */
export function executable(stat: (path: string) => unknown): SettingSchema<string> {
  return field((value, complain) => {
    const path = textOf(value);
    if (path === undefined) return complain(`expected a path, got ${describeValue(value)}`);
    try {
      stat(path);
      return path;
    } catch (error) {
      // The error's own text holds the path, which may have come from a reference.
      const why = errorCode(error) ?? (value.origin === undefined ? describeError(error) : "it failed");
      const hint =
        "install the Collector there or correct the path (relative ones start at the working directory)";
      return complain(`could not stat agent::executable path: ${describeValue(value)}: ${why}; ${hint}`);
    }
  });
}

/** A path that means the same wherever this program and the Collector are started. */
export function absolutePath(): SettingSchema<string> {
  return field((value, complain) => {
    const path = textOf(value);
    if (path?.startsWith("/")) return path;
    return complain(`expected an absolute path, got ${describeValue(value)}; begin it with /`);
  });
}

/** A UUID in any form that google/uuid parses, as canonical text. */
export function instanceId(): SettingSchema<string> {
  return field((value, complain) => {
    const uid = parseInstanceUid((textOf(value) ?? "").replace(/^urn:uuid:|^\{|\}$/gi, ""));
    if (uid !== undefined && isUsableInstanceUid(uid)) return formatInstanceUid(uid);
    const message = "agent::instance_id must be a valid UUID string when set";
    return complain(`${message}: got ${describeValue(value)}; leave it out to have one made`);
  });
}

/** A path, or one of the markers: what else begins with `$` is a marker misspelt. */
export function configFile(): SettingSchema<string> {
  return field((value, complain) => {
    const found = textOf(value);
    if (found === undefined || found === "") return complain(`expected a path, got ${describeValue(value)}`);
    if (!found.startsWith("$") || configFileMarkers.some((marker) => marker === found)) return found;
    const shown = value.origin === undefined ? JSON.stringify(found) : describeValue(value);
    const markers = configFileMarkers.join(" ");
    return complain(
      `agent::config_files contains invalid special file: ${shown}. Must be one of [${markers}]`,
    );
  });
}
