import { duration } from "../../foundation/settings-file/duration.ts";
import { boolean, oneOf, type SettingSchema } from "../../foundation/settings-file/field.ts";
import { defaulted, section } from "../../foundation/settings-file/section.ts";
import {
  type CertificateSettings,
  certificateIdentities,
  certificateKeyTypes,
} from "./supervisor-settings.ts";

/** A week: long enough to notice that it does not work, and to do something about it. */
const defaultRenewBeforeMs = 7 * 24 * 60 * 60_000;

/** `server.certificate`. */
export const certificateSection: SettingSchema<CertificateSettings> = section({
  request: defaulted("request", boolean(), false),
  keyType: defaulted("key_type", oneOf(certificateKeyTypes), "ec-p256"),
  renewBeforeMs: defaulted("renew_before", duration({ positive: true }), defaultRenewBeforeMs),
  identity: defaulted("identity", oneOf(certificateIdentities), "instance_uid"),
});
