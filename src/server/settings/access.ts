import { describeError } from "../../foundation/errors.ts";
import { decodeAt, textList } from "../../foundation/settings-file/collections.ts";
import { duration } from "../../foundation/settings-file/duration.ts";
import { boolean, field, type SettingSchema, text } from "../../foundation/settings-file/field.ts";
import {
  defaulted,
  nested,
  optional,
  optionalText,
  required,
  section,
} from "../../foundation/settings-file/section.ts";
import { url } from "../../foundation/settings-file/url.ts";
import { AddressList } from "../access/address-list.ts";
import type { AgentJwtSettings } from "../access/agent-jwt.ts";

const groups = textList({ expected: "the name of a group" });

const oidc = section({
  issuer: required(
    "issuer",
    url(["https", "http"], () => "expected the URL of an OpenID Connect issuer"),
  ),
  audience: required("audience", text()),
  groupsClaim: defaulted("groups_claim", text(), "groups"),
  roles: nested(
    "roles",
    section({
      viewer: defaulted("viewer", groups, []),
      operator: defaulted("operator", groups, []),
      admin: defaulted("admin", groups, []),
    }),
  ),
});

const days = 86_400_000;

const jwt = section({
  issuer: optionalText("issuer", text()),
  audience: optionalText("audience", text()),
  secretFile: optionalText("secret_file", text()),
  publicKeyFile: optionalText("public_key_file", text()),
  jwksUrl: optionalText(
    "jwks_url",
    url(["https", "http"], () => "expected the URL of a JWK set"),
  ),
});

const agents = section({
  required: defaulted("required", boolean(), false),
  jwt: optional("jwt", agentJwt()),
  addresses: optional("addresses", addressList()),
});

/** Who may use the management API, and which Agents are let in. */
export const access = section({
  required: optional("required", boolean()),
  adminKeyFile: optionalText("admin_key_file", text()),
  oidc: optional("oidc", oidc),
  addresses: optional("addresses", addressList()),
  roleAddresses: nested(
    "role_addresses",
    section({
      viewer: optional("viewer", addressList()),
      operator: optional("operator", addressList()),
      admin: optional("admin", addressList()),
    }),
  ),
  keyLifetimeMs: defaulted("key_lifetime", duration({ positive: true }), 90 * days),
  agents: nested("agents", agents),
});

/** Addresses and networks, each checked. */
function addressList(): SettingSchema<readonly string[]> {
  return field((value, complain, report) => {
    const entries = decodeAt(textList({ expected: "an address" }), value, [], report) ?? [];
    try {
      new AddressList(entries);
    } catch (error) {
      return complain(describeError(error));
    }
    return entries;
  });
}

/** One source of keys, and which. */
function agentJwt(): SettingSchema<AgentJwtSettings | undefined> {
  return field((value, complain, report) => {
    const found = decodeAt(jwt, value, [], report);
    if (found === undefined) return undefined;
    const sources = [found.secretFile, found.publicKeyFile, found.jwksUrl].filter(
      (each) => each !== undefined,
    );
    return sources.length === 1 ? found : complain("needs one of secret_file, public_key_file and jwks_url");
  });
}
