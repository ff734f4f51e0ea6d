import { text } from "../../foundation/settings-file/field.ts";
import { optionalText, section } from "../../foundation/settings-file/section.ts";
import { url } from "../../foundation/settings-file/url.ts";

export const storage = section({
  encryptionKeyFile: optionalText("encryption_key_file", text()),
  directory: optionalText("directory", text()),
  postgresUrl: optionalText(
    "postgres_url",
    url(
      ["postgres", "postgresql"],
      () => "expected a URL such as postgres://USER:PASSWORD@HOST:5432/DATABASE",
    ),
  ),
});
