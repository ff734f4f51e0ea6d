import { listOf, mapOf, splitListOf, textList } from "../../foundation/settings-file/collections.ts";
import { duration } from "../../foundation/settings-file/duration.ts";
import { field, type SettingSchema, secretText, text } from "../../foundation/settings-file/field.ts";
import {
  defaulted,
  nested,
  optionalText,
  required,
  section,
} from "../../foundation/settings-file/section.ts";
import { url } from "../../foundation/settings-file/url.ts";
import { tokenTlsSection } from "./schema-tls.ts";
import type { HeadersCommandSettings, OAuth2Settings } from "./supervisor-settings.ts";

const defaultRefreshIntervalMs = 5 * 60_000;
/** As in the Collector's oauth2client. */
const defaultExpiryBufferMs = 5 * 60_000;

/** `server.headers_command`. */
export const headersCommandSection: SettingSchema<HeadersCommandSettings> = section({
  command: required("command", command(), "must be a list of the program and its arguments"),
  timeoutMs: defaulted("timeout", duration({ positive: true }), 10_000),
  refreshIntervalMs: defaulted("refresh_interval", duration({ positive: true }), defaultRefreshIntervalMs),
  expiryBufferMs: defaulted("expiry_buffer", duration(), defaultExpiryBufferMs),
});

/** `server.oauth2`, spelled as the Collector's oauth2client extension. */
export const oauth2Section: SettingSchema<OAuth2Settings> = field((value, complain, report) => {
  const found = oauth2Keys.safeParse(value);
  if (!found.success) {
    for (const { message, path } of found.error.issues) report(message, path as (string | number)[]);
    return complain("already reported");
  }
  const { clientId, clientIdFile, clientSecret, clientSecretFile } = found.data;
  if ((clientId === undefined) === (clientIdFile === undefined))
    return complain("set either client_id or client_id_file");
  if ((clientSecret === undefined) === (clientSecretFile === undefined))
    return complain("set either client_secret or client_secret_file");
  return found.data;
});

const tokenUrlMessage =
  "expected the address of a token endpoint, such as https://login.example.com/oauth2/token";

const oauth2Keys = section({
  clientId: optionalText("client_id", text({ expected: "a name" })),
  clientIdFile: optionalText("client_id_file", text({ expected: "a path" })),
  clientSecret: optionalText("client_secret", secretText("a secret as text")),
  clientSecretFile: optionalText("client_secret_file", text({ expected: "a path" })),
  tokenUrl: required(
    "token_url",
    url(["https", "http"], () => tokenUrlMessage),
  ),
  scopes: defaulted("scopes", textList(), []),
  endpointParams: defaulted("endpoint_params", mapOf(splitListOf(text({ allowEmpty: true }))), {}),
  timeoutMs: defaulted("timeout", duration({ positive: true }), 10_000),
  refreshIntervalMs: defaulted("refresh_interval", duration({ positive: true }), defaultRefreshIntervalMs),
  expiryBufferMs: defaulted("expiry_buffer", duration(), defaultExpiryBufferMs),
  tls: nested("tls", tokenTlsSection),
});

/** There is no shell, so that one text would be the name of a program. */
function command(): SettingSchema<readonly string[]> {
  const items = listOf(text({ allowEmpty: true }));
  return field((value, complain) => {
    const found = items.safeParse(value).data;
    if (found?.[0] === undefined || found[0] === "")
      return complain("expected a list of the program and its arguments; there is no shell");
    return found;
  });
}
