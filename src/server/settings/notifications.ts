import { decodeAt, listOf, textList } from "../../foundation/settings-file/collections.ts";
import {
  field,
  integer,
  oneOf,
  type SettingSchema,
  secretText,
  text,
  textOf,
} from "../../foundation/settings-file/field.ts";
import {
  defaulted,
  optional,
  optionalText,
  required,
  section,
} from "../../foundation/settings-file/section.ts";
import { describeValue } from "../../foundation/settings-file/setting-value.ts";
import { url } from "../../foundation/settings-file/url.ts";
import type { EmailSettings } from "../notifications/settings.ts";

const hook = () => url(["https", "http"], () => "expected an https:// or http:// URL");

const ports = { tls: 465, starttls: 587, none: 25 } as const;

const emailKeys = section({
  host: required("host", text()),
  port: optional("port", integer({ min: 1, max: 65_535 })),
  security: defaulted("security", oneOf(["starttls", "tls", "none"]), "starttls"),
  username: optionalText("username", text()),
  password: optionalText("password", secretText("a password")),
  from: required("from", mailAddress()),
  to: required("to", textList({ expected: "a mail address" })),
});

/** Who is told what without asking. */
export const notifications = section({
  webhooks: defaulted(
    "webhooks",
    listOf(
      section({
        url: required("url", hook()),
        secret: optionalText("secret", signingSecret()),
      }),
    ),
    [],
  ),
  slack: defaulted("slack", listOf(section({ url: required("url", hook()) })), []),
  email: optional("email", email()),
  lostAgents: defaulted("lost_agents", share(), 0.05),
});

function email(): SettingSchema<EmailSettings> {
  return field((value, complain, report) => {
    const found = decodeAt(emailKeys, value, [], report);
    if (found === undefined) return complain("cannot be used");
    const { password, port, security, to, username } = found;
    if ((username === undefined) !== (password === undefined))
      report("needs username and password, or neither");
    if (username !== undefined && security === "none")
      report("sends no password in plain text: set security to starttls or tls");
    if (to.length === 0) report("needs somebody to write to", ["to"]);
    return { ...found, port: port ?? ports[security] };
  });
}

/** Short ones can be guessed from one message that was seen. */
function signingSecret(): SettingSchema<string> {
  return field((value, complain) => {
    const found = textOf(value);
    return found !== undefined && found.length >= 24
      ? found
      : complain("expected a secret of 24 characters or more");
  });
}

function mailAddress(): SettingSchema<string> {
  return field((value, complain) => {
    const found = textOf(value);
    return found !== undefined && /^[^\r\n]*[^\s@]+@[^\s@]+$/.test(found)
      ? found
      : complain(`expected a mail address, got ${describeValue(value)}`);
  });
}

/** `5%` as 0.05. */
function share(): SettingSchema<number> {
  return field((value, complain) => {
    const number = /^(\d+(?:\.\d+)?)\s*%$/.exec(textOf(value) ?? "")?.[1];
    const found = Number(number) / 100;
    return found > 0 && found <= 1
      ? found
      : complain(`expected a percentage such as 5%, got ${describeValue(value)}`);
  });
}
