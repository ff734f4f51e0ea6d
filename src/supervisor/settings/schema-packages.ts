import { byteSize } from "../../foundation/settings-file/byte-size.ts";
import { splitListOf, textList } from "../../foundation/settings-file/collections.ts";
import { duration } from "../../foundation/settings-file/duration.ts";
import { field, integer, type SettingSchema, text } from "../../foundation/settings-file/field.ts";
import {
  defaulted,
  filledList,
  nested,
  optional,
  optionalText,
  section,
} from "../../foundation/settings-file/section.ts";
import { url } from "../../foundation/settings-file/url.ts";
import { proxySection } from "./schema-proxy.ts";
import type { PackageSettings } from "./supervisor-settings.ts";

const mebibyte = 1024 * 1024;

/** `packages`, which the reference does not have. */
export const packagesSection: SettingSchema<PackageSettings> = section({
  mirrors: defaulted("mirrors", splitListOf(mirror()), []),
  dropFolder: optionalText("drop_folder", text({ expected: "a path" })),
  bytesPerSecond: optional("bandwidth_limit", byteSize(1)),
  maxBytes: defaulted("max_size", byteSize(1), 1024 * mebibyte),
  maxUnpackedBytes: defaulted("max_unpacked_size", byteSize(1), 4096 * mebibyte),
  maxMembers: defaulted("max_members", integer({ min: 1 }), 10_000),
  stallTimeoutMs: defaulted("stall_timeout", duration({ positive: true }), 30_000),
  keep: defaulted("keep", integer({ min: 0, max: 100 }), 1),
  proxy: nested("proxy", proxySection),
  trust: nested(
    "trust",
    section({ keys: filledList("keys", textList({ expected: "a path of a public key in PEM" })) }),
  ),
});

/** A base URL. It may hold a password or token, so that no complaint shows it. */
function mirror(): SettingSchema<string> {
  const message =
    "invalid URL of a mirror: expected an address such as https://mirror.example.com/otel or file:///srv/mirror";
  const schema = url(["http", "https", "file"], () => message);
  return field((value, complain) => {
    const found = schema.safeParse(value).data;
    if (found === undefined) return complain(message);
    const { protocol, host } = new URL(found);
    return protocol === "file:" && host !== ""
      ? complain("a mirror on this host is written with three slashes: file:///srv/mirror")
      : found;
  });
}
