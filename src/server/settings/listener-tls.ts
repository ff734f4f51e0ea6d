import { decodeAt } from "../../foundation/settings-file/collections.ts";
import {
  field,
  oneOf,
  type Report,
  type SettingSchema,
  secretText,
  text,
} from "../../foundation/settings-file/field.ts";
import { defaulted, optionalText, section } from "../../foundation/settings-file/section.ts";
import type { ListenerTls, PemSource } from "./server-settings.ts";

const keys = section({
  certFile: optionalText("cert_file", text()),
  certPem: optionalText("cert_pem", secretText("a certificate in PEM")),
  keyFile: optionalText("key_file", text()),
  keyPem: optionalText("key_pem", secretText("a private key in PEM")),
  clientCaFile: optionalText("client_ca_file", text()),
  clientCaPem: optionalText("client_ca_pem", secretText("a certificate in PEM")),
  minVersion: defaulted("min_version", oneOf(["1.2", "1.3"]), "1.2"),
});

/** TLS of a listener: certificate and key are needed, each as a file or as text, not both. */
export function listenerTls(): SettingSchema<ListenerTls | undefined> {
  return field((value, complain, report) => {
    const found = decodeAt(keys, value, [], report);
    if (found === undefined) return undefined;
    const certificate = oneSource("cert", found.certFile, found.certPem, report);
    const key = oneSource("key", found.keyFile, found.keyPem, report);
    const clientCa = oneSource("client_ca", found.clientCaFile, found.clientCaPem, report);
    if (certificate === undefined) return complain("needs cert_file or cert_pem");
    if (key === undefined) return complain("needs key_file or key_pem");
    return { certificate, key, clientCa, minVersion: found.minVersion };
  });
}

function oneSource(
  key: string,
  file: string | undefined,
  pem: string | undefined,
  report: Report,
): PemSource | undefined {
  if (file !== undefined && pem !== undefined) report(`set ${key}_file or ${key}_pem, not both`);
  if (file !== undefined) return { file };
  return pem === undefined ? undefined : { pem };
}
