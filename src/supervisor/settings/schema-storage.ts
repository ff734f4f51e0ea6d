import { type SettingSchema, text } from "../../foundation/settings-file/field.ts";
import { defaulted, section } from "../../foundation/settings-file/section.ts";
import type { StorageSettings } from "./supervisor-settings.ts";

const defaultDirectory = "/var/lib/otelcol/supervisor";

/** `storage`. */
export const storageSection: SettingSchema<StorageSettings> = section({
  directory: defaulted("directory", text({ expected: "a path" }), defaultDirectory),
});
