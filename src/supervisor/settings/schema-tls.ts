import * as z from "zod/mini";
import { splitListOf, textList } from "../../foundation/settings-file/collections.ts";
import { duration } from "../../foundation/settings-file/duration.ts";
import {
  boolean,
  field,
  type SettingSchema,
  secretText,
  text,
  textOf,
} from "../../foundation/settings-file/field.ts";
import {
  defaulted,
  filledList,
  nested,
  optional,
  optionalText,
  section,
} from "../../foundation/settings-file/section.ts";
import { describeValue } from "../../foundation/settings-file/setting-value.ts";
import {
  type CommonTlsSettings,
  type ListenerTlsSettings,
  type TlsSettings,
  type TlsVersion,
  tlsVersions,
} from "./supervisor-settings.ts";

const tpmSection = section({
  enabled: defaulted("enabled", boolean(), false),
  path: optionalText("path", text()),
  ownerAuth: optionalText("owner_auth", secretText("a password as text")),
  auth: optionalText("auth", secretText("a password as text")),
});

const commonKeys = {
  caFile: optionalText("ca_file", text({ expected: "a path" })),
  caPem: optionalText("ca_pem", secretText("certificates in PEM")),
  includeSystemCaCertsPool: defaulted("include_system_ca_certs_pool", boolean(), false),
  certFile: optionalText("cert_file", text({ expected: "a path" })),
  certPem: optionalText("cert_pem", secretText("a certificate in PEM")),
  keyFile: optionalText("key_file", text({ expected: "a path" })),
  keyPem: optionalText("key_pem", secretText("a private key in PEM")),
  minVersion: { ...defaulted("min_version", tlsVersion("min_version"), "1.2"), emptyIsAbsent: true },
  maxVersion: optionalText("max_version", tlsVersion("max_version")),
  cipherSuites: defaulted("cipher_suites", textList(), []),
  curvePreferences: defaulted("curve_preferences", textList(), []),
  reloadIntervalMs: optional("reload_interval", duration()),
  tpm: nested("tpm", tpmSection),
};

/** The Collector's configtls.ClientConfig, and pins. */
const clientTlsKeys = section({
  ...commonKeys,
  insecure: defaulted("insecure", boolean(), false),
  insecureSkipVerify: defaulted("insecure_skip_verify", boolean(), false),
  serverNameOverride: optionalText("server_name_override", text({ expected: "a host name" })),
  pinSha256: filledList("pin_sha256", splitListOf(pin())),
});

/** `server.tls`. */
export const tlsSection: SettingSchema<TlsSettings> = clientTlsKeys.check(consistent("server::tls"));

/** `server.oauth2.tls`. */
export const tokenTlsSection: SettingSchema<TlsSettings> = clientTlsKeys.check(
  consistent("server::oauth2::tls"),
);

/** `healthcheck.tls`: the Collector's configtls.ServerConfig. */
export const listenerTlsSection: SettingSchema<ListenerTlsSettings> = section({
  ...commonKeys,
  clientCaFile: optionalText("client_ca_file", text({ expected: "a path" })),
  clientCaFileReload: defaulted("client_ca_file_reload", boolean(), false),
}).check(
  consistent("healthcheck::tls"),
  z.refine((tls) => hasCertificate(tls) && hasKey(tls), {
    error:
      "invalid healthcheck::tls settings: set a certificate (cert_file or cert_pem) and its key (key_file or key_pem)",
  }),
);

/** What configtls refuses, in its order; the first complaint hides those that follow from it. */
function consistent(name: string): z.core.CheckFn<CommonTlsSettings> {
  return ({ value, issues }) => {
    const fault = findFault(value);
    if (fault !== undefined)
      issues.push({ code: "custom", message: `invalid ${name} settings: ${fault}`, input: undefined });
  };
}

function findFault(tls: CommonTlsSettings): string | undefined {
  if (tls.caFile !== undefined && tls.caPem !== undefined) return "set ca_file or ca_pem, not both";
  if (tls.certFile !== undefined && tls.certPem !== undefined) return "set cert_file or cert_pem, not both";
  if (tls.keyFile !== undefined && tls.keyPem !== undefined) return "set key_file or key_pem, not both";
  if (hasCertificate(tls) !== hasKey(tls))
    return "a certificate needs its key and a key its certificate; set both or neither";
  if (tls.maxVersion !== undefined && tls.maxVersion < tls.minVersion)
    return "min_version is above max_version";
  return undefined;
}

function hasCertificate(tls: CommonTlsSettings): boolean {
  return tls.certFile !== undefined || tls.certPem !== undefined;
}

function hasKey(tls: CommonTlsSettings): boolean {
  return tls.keyFile !== undefined || tls.keyPem !== undefined;
}

function tlsVersion(key: string): SettingSchema<TlsVersion> {
  return field((value, complain) => {
    const found = tlsVersions.find((version) => version === textOf(value));
    return (
      found ??
      complain(`invalid TLS ${key}: expected one of ${tlsVersions.join(", ")}, got ${describeValue(value)}`)
    );
  });
}

/** A SHA-256 in base64, also as curl writes pins (`sha256//…`), or in hexadecimal. */
function pin(): SettingSchema<string> {
  return field((value, complain) => {
    const found = (textOf(value) ?? "").trim().replace(/^sha256\/{1,2}/, "");
    if (/^[A-Za-z0-9+/]{43}=$/.test(found)) return found;
    const hex = found.replaceAll(":", "");
    if (/^[0-9a-f]{64}$/i.test(hex)) return Buffer.from(hex, "hex").toString("base64");
    return complain(
      `expected a SHA-256 in base64 (44 characters) or hexadecimal (64), got ${describeValue(value)}`,
    );
  });
}
