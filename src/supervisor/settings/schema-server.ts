import { byteSize } from "../../foundation/settings-file/byte-size.ts";
import { decodeAt, splitListOf } from "../../foundation/settings-file/collections.ts";
import { duration } from "../../foundation/settings-file/duration.ts";
import {
  alreadyReported,
  field,
  type SettingSchema,
  text,
  textOf,
} from "../../foundation/settings-file/field.ts";
import { headerMap } from "../../foundation/settings-file/header-map.ts";
import {
  defaulted,
  nested,
  optional,
  optionalText,
  required,
  section,
} from "../../foundation/settings-file/section.ts";
import { isMap } from "../../foundation/settings-file/setting-value.ts";
import { type UrlFault, url } from "../../foundation/settings-file/url.ts";
import { defaultMaxMessageBytes } from "../../opamp/limits.ts";
import { certificateSection } from "./schema-certificate.ts";
import { headersCommandSection, oauth2Section } from "./schema-credentials.ts";
import { proxySection } from "./schema-proxy.ts";
import { tlsSection } from "./schema-tls.ts";
import { settingsDigest } from "./settings-digest.ts";
import type { ServerSettings } from "./supervisor-settings.ts";

const schemes = ["http", "https", "ws", "wss"];

/** Below this not even the first message of an agent fits. */
const minMessageBytes = 64 * 1024;

/** An outage of an afternoon is none, and nobody is lost for a day. */
const defaultFallbackAfterMs = 60 * 60_000;

const keys = section({
  endpoint: required("endpoint", url(schemes, endpointMessage), "server::endpoint must be specified"),
  headers: defaulted("headers", headerMap(), {}),
  headersFile: optionalText("headers_file", text({ expected: "a path" })),
  headersCommand: optional("headers_command", headersCommandSection),
  oauth2: optional("oauth2", oauth2Section),
  tls: nested("tls", tlsSection),
  maxMessageBytes: defaulted("max_message_size", byteSize(minMessageBytes), defaultMaxMessageBytes),
  fallbackAfterMs: defaulted("fallback_after", duration(), defaultFallbackAfterMs),
  certificate: nested("certificate", certificateSection),
  proxy: nested("proxy", proxySection),
  allowedRedirectHosts: defaulted("allowed_redirect_hosts", splitListOf(redirectHost()), []),
});

/** What an administrator edits in order to overrule what the server has offered. */
const edited = ["endpoint", "headers", "headers_file", "headers_command", "oauth2", "tls", "proxy"];

/** `server`. */
export const serverSection: SettingSchema<ServerSettings> = field((value, complain, report) => {
  const settings = decodeAt(keys, value, [], report);
  if (settings === undefined || !isMap(value.data)) return complain(alreadyReported);
  const { data } = value;
  return {
    ...settings,
    digest: settingsDigest(edited.map((key) => data.get(key))),
  };
});

/** As it stands in a URL: in small letters, without a port that its scheme has anyway. */
function redirectHost(): SettingSchema<string> {
  return field((value, complain) => {
    const found = (textOf(value) ?? "").trim().toLowerCase();
    const url = URL.parse(`any://${found}`);
    if (url !== null && found !== "" && url.host === found) return found;
    return complain("expected a host, such as opamp2.example.com or opamp2.example.com:4320");
  });
}

function endpointMessage(fault: UrlFault): string {
  if (fault.fault === "syntax") {
    return "invalid URL for server::endpoint: expected an address such as wss://opamp.example.com:4320/v1/opamp";
  }
  const scheme = fault.scheme === undefined ? "" : ` ${JSON.stringify(fault.scheme)}`;
  return `invalid scheme${scheme} for server::endpoint, must be one of "http", "https", "ws", or "wss"`;
}
