import { promises as fs } from "node:fs";
import { join } from "node:path";
import { describeError, isMissing } from "../../foundation/errors.ts";
import { oneOf } from "../../foundation/settings-file/field.ts";
import { loadSettingsFile } from "../../foundation/settings-file/load-settings-file.ts";
import { optional, section } from "../../foundation/settings-file/section.ts";
import { SettingsError } from "../../foundation/settings-file/settings-error.ts";
import type { PackageProblem, PackageTypeName } from "./package-file.ts";

const packageYaml = section({ type: optional("type", oneOf(["top-level", "addon"])) });

/** What `package.yaml` says, or else the name: `collector` and `otelcol*` are top-level, all others addons. */
export async function readPackageType(
  directory: string,
  name: string,
): Promise<{ type: PackageTypeName } | { problem: PackageProblem }> {
  const path = join(directory, "package.yaml");
  try {
    const text = await fs.readFile(path, "utf8");
    const { type } = loadSettingsFile(path, packageYaml, { env: {}, readFile: () => text }).settings;
    return { type: type ?? typeByName(name) };
  } catch (error) {
    if (isMissing(error)) return { type: typeByName(name) };
    // The errors of a settings file name the file themselves.
    const reason = error instanceof SettingsError ? error.message : `cannot be read: ${describeError(error)}`;
    return { problem: { path, reason } };
  }
}

function typeByName(name: string): PackageTypeName {
  return name === "collector" || name.startsWith("otelcol") ? "top-level" : "addon";
}
