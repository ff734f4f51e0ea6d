import { decodeAt } from "../../foundation/settings-file/collections.ts";
import { duration } from "../../foundation/settings-file/duration.ts";
import { boolean, field, oneOf, type SettingSchema, text } from "../../foundation/settings-file/field.ts";
import { defaulted, optional, optionalText, section } from "../../foundation/settings-file/section.ts";
import type { AuthoritySource } from "./server-settings.ts";

const days = 86_400_000;

const authorityKeys = section({
  generate: defaulted("generate", boolean(), false),
  certFile: optionalText("cert_file", text()),
  keyFile: optionalText("key_file", text()),
});

/** Certificates of Agents: who issues them, and for how long. */
export const certificates = section({
  authority: optional("authority", authority()),
  lifetimeMs: defaulted("lifetime", duration({ positive: true }), 90 * days),
  approval: defaulted("approval", oneOf(["automatic", "manual"]), "automatic"),
  renewBeforeMs: defaulted("renew_before", duration({ positive: true }), 7 * days),
});

function authority(): SettingSchema<AuthoritySource | undefined> {
  return field((value, complain, report) => {
    const found = decodeAt(authorityKeys, value, [], report);
    if (found === undefined) return undefined;
    const { generate, certFile, keyFile } = found;
    if (generate && certFile === undefined && keyFile === undefined) return { t: "own" };
    if (!generate && certFile !== undefined && keyFile !== undefined)
      return { t: "files", certFile, keyFile };
    return complain("needs generate: true, or both cert_file and key_file");
  });
}
