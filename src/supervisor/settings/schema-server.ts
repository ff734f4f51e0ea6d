import { byteSize } from "../../foundation/settings-file/byte-size.ts";
import type { SettingSchema } from "../../foundation/settings-file/field.ts";
import { headerMap } from "../../foundation/settings-file/header-map.ts";
import { defaulted, nested, required, section } from "../../foundation/settings-file/section.ts";
import { type UrlFault, url } from "../../foundation/settings-file/url.ts";
import { defaultMaxMessageBytes } from "../../opamp/limits.ts";
import { tlsSection } from "./schema-tls.ts";
import type { ServerSettings } from "./supervisor-settings.ts";

const schemes = ["http", "https", "ws", "wss"];

/** Below this not even the first message of an agent fits. */
const minMessageBytes = 64 * 1024;

/** `server`. */
export const serverSection: SettingSchema<ServerSettings> = section({
  endpoint: required("endpoint", url(schemes, endpointMessage), "server::endpoint must be specified"),
  headers: defaulted("headers", headerMap(), {}),
  tls: nested("tls", tlsSection),
  maxMessageBytes: defaulted("max_message_size", byteSize(minMessageBytes), defaultMaxMessageBytes),
});

function endpointMessage(fault: UrlFault): string {
  if (fault.fault === "syntax") {
    return "invalid URL for server::endpoint: expected an address such as wss://opamp.example.com:4320/v1/opamp";
  }
  const scheme = fault.scheme === undefined ? "" : ` ${JSON.stringify(fault.scheme)}`;
  return `invalid scheme${scheme} for server::endpoint, must be one of "http", "https", "ws", or "wss"`;
}
