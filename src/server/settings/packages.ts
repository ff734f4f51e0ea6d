import { decodeAt } from "../../foundation/settings-file/collections.ts";
import { field, integer, type SettingSchema, text } from "../../foundation/settings-file/field.ts";
import { headerMap } from "../../foundation/settings-file/header-map.ts";
import { defaulted, optional, optionalText, section } from "../../foundation/settings-file/section.ts";
import { url } from "../../foundation/settings-file/url.ts";
import type { PackagesSettings } from "./server-settings.ts";

const keys = section({
  directory: optionalText("directory", text()),
  url: optionalText(
    "url",
    url(["http", "https"], () => "expected the http:// or https:// URL of the packages folder"),
  ),
  headers: optional("headers", headerMap()),
  maxDownloads: defaulted("max_downloads", integer({ min: 1 }), 1000),
});

/** Undefined without a directory, which switches packages off. */
export function packages(): SettingSchema<PackagesSettings | undefined> {
  return field((value, complain, report) => {
    const found = decodeAt(keys, value, [], report);
    if (found === undefined) return undefined;
    const { directory, url: folderUrl, headers, maxDownloads } = found;
    if (folderUrl !== undefined && /[?#]/.test(folderUrl)) report("expected no ? and no #", ["url"]);
    if (directory !== undefined) return { directory, url: folderUrl, headers: headers ?? {}, maxDownloads };
    if (folderUrl === undefined && headers === undefined) return undefined;
    return complain("needs directory: without it no packages are offered");
  });
}
