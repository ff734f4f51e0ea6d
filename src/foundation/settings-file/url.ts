import { field, type SettingSchema, textOf } from "./field.ts";

/** What is wrong with a URL. The scheme is left out where it came from a reference. */
export type UrlFault = { fault: "syntax" } | { fault: "scheme"; scheme: string | undefined };

/** An absolute URL with one of the schemes, as it was written. `message` words the complaint; a URL may hold a password and is never shown. */
export function url(schemes: readonly string[], message: (fault: UrlFault) => string): SettingSchema<string> {
  return field((value, complain) => {
    const found = textOf(value);
    if (found === undefined) return complain(message({ fault: "syntax" }));
    const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(found)?.[1]?.toLowerCase();
    if (scheme === undefined && found.includes(":")) return complain(message({ fault: "syntax" }));
    if (scheme === undefined || !schemes.includes(scheme)) {
      return complain(
        message({ fault: "scheme", scheme: value.origin === undefined ? (scheme ?? "") : undefined }),
      );
    }
    return URL.canParse(found) ? found : complain(message({ fault: "syntax" }));
  });
}
