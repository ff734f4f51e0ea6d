import { parseProxyUrl } from "../../foundation/proxy/proxy.ts";
import { field, type SettingSchema, textOf } from "../../foundation/settings-file/field.ts";
import { headerMap } from "../../foundation/settings-file/header-map.ts";
import { defaulted, optionalText, section } from "../../foundation/settings-file/section.ts";
import type { ProxySettings } from "./supervisor-settings.ts";

const expected =
  "expected the address of an http, https, socks5 or socks5h proxy, such as http://proxy.example.com:3128";

/** `server.proxy` and `packages.proxy`; without a URL the environment decides. */
export const proxySection: SettingSchema<ProxySettings> = section({
  url: optionalText("url", proxyUrl()),
  connectHeaders: defaulted("connect_headers", headerMap(), {}),
});

/** It may hold a password, and is never shown. */
function proxyUrl(): SettingSchema<string> {
  return field((value, complain) => parseProxyUrl(textOf(value) ?? "")?.href ?? complain(expected));
}
