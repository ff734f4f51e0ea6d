import { decodeAt, mapOf } from "../../foundation/settings-file/collections.ts";
import { duration } from "../../foundation/settings-file/duration.ts";
import { field, type SettingSchema, text } from "../../foundation/settings-file/field.ts";
import { defaulted, optionalText, section } from "../../foundation/settings-file/section.ts";
import type { SecretSource } from "../configurations/secret-reference.ts";
import { secretName } from "../configurations/variables.ts";

export const validation = section({
  collector: optionalText("collector", text()),
  timeoutMs: defaulted("timeout", duration({ positive: true }), 30_000),
});

const source = section({ env: optionalText("env", text()), file: optionalText("file", text()) });

/** Where each secret is; the secrets themselves are read when they are needed. */
export function secrets(): SettingSchema<Readonly<Record<string, SecretSource>>> {
  return mapOf(secretSource(), (name) =>
    secretName.test(name) ? undefined : "expected a name of letters, digits, '.', '_' and '-'",
  );
}

function secretSource(): SettingSchema<SecretSource> {
  return field((value, complain, report) => {
    const { env, file } = decodeAt(source, value, [], report) ?? {};
    if (env !== undefined && file === undefined) return { env };
    if (file !== undefined && env === undefined) return { file };
    return complain("needs env (the name of an environment variable) or file (a path)");
  });
}
