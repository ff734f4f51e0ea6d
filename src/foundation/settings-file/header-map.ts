import { mapOf, splitListOf } from "./collections.ts";
import { field, type SettingSchema, textOf } from "./field.ts";

/**
 * HTTP headers: name to a list of values; one text is split at commas. Surrounding white space is no part of
 * a value (RFC 9110, 5.5), which also drops the line end of `${file:/token}`. Errors never show a value.
 */
export function headerMap(): SettingSchema<Readonly<Record<string, readonly string[]>>> {
  return mapOf(splitListOf(headerValue()), (name) =>
    /^[\w!#$%&'*+.^`|~-]+$/.test(name)
      ? undefined
      : "expected names of HTTP headers; one has characters that no name can have",
  );
}

function headerValue(): SettingSchema<string> {
  return field((value, complain) => {
    const found = textOf(value)?.trim();
    if (found === undefined) return complain("expected text");
    // What node:http refuses to send; it would complain at the first connection only.
    if (/[^\t\x20-\x7e\x80-\xff]/.test(found))
      return complain("a line break or other character that no HTTP header can have");
    return found;
  });
}
