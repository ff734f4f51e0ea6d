import { isList, isTree, type Tree, type Value } from "../../foundation/collector-yaml/tree.ts";

/** What stands for a secret, as in the Collector's own reports. */
export const redacted = "[REDACTED]";

/**
 * A copy without secrets, for reporting before the Collector has reported its own. Headers and keys that
 * sound like secrets lose their values, URLs their user and password.
 */
export function redact(tree: Tree): Tree {
  return redactMap(tree, "");
}

function redactMap(tree: Tree, parent: string): Tree {
  return Object.fromEntries(
    Object.entries(tree).map(([key, value]) => [
      key,
      isSecretKey(key, parent) ? hideAll(value, false) : redactValue(value, key),
    ]),
  );
}

function redactValue(value: Value, key: string): Value {
  if (isList(value)) return value.map((item) => redactValue(item, key));
  if (isTree(value)) return redactMap(value, key);
  return typeof value === "string" ? withoutUrlSecrets(value) : value;
}

/** Hides every scalar below, but not the names in a list of `{name, value}` or `{key, value}`. */
function hideAll(value: Value, inList = false): Value {
  if (isList(value)) return value.map((item) => hideAll(item, true));
  if (!isTree(value)) return value === null ? null : redacted;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      inList && /^(?:name|key|action|from_context)$/.test(key) ? item : hideAll(item),
    ]),
  );
}

const secretWords =
  /password|passwd|passphrase|passcode|secret|token|credential|authorization|headers|cookie|htpasswd|connectionstring|apikey|privatekey|keypem|keydata/;

const secretWhole =
  /^(?:pwd|pass|dsn|datasource|pat|sas|community|(?:access|account|signing|shared|encryption|license|instrumentation|ingest|ingestion|write|application|app|master|auth|sas|integration)key)$/;

/** Keys that name where a secret is, or how it is used, not the secret. */
const harmless =
  /(?:file|files|path|url|uri|endpoint|filename|ttl|type|interval|timeout|expiry|expiration|grantvalidity|bucket|ratio|limit|tokens|tokenizer|name|count|enabled)$/;

/** Whether the values under a key are secret. `parent` is the key above, for `api: {key: ...}`. */
export function isSecretKey(key: string, parent: string): boolean {
  const plain = simplify(key);
  if (plain === "key" && simplify(parent) === "api") return true;
  if (secretWhole.test(plain)) return true;
  return secretWords.test(plain) && !harmless.test(plain);
}

function simplify(key: string): string {
  return key.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
}

const userInfo = /(?<=[a-z][a-z0-9+.-]*:\/\/)[^/?#@\s]*@/gi;
const secretParameter = /(?<=[?&;]([\w.-]*)=)[^&;#\s]+/g;

/** A text in which no URL has a user, a password or a secret parameter. */
export function withoutUrlSecrets(text: string): string {
  if (!text.includes("://")) return text;
  return text
    .replaceAll(userInfo, `${redacted}@`)
    .replaceAll(secretParameter, (value, name: string) => (isSecretKey(name, "") ? redacted : value));
}

/** The secret parts of URLs in a text. */
export function urlSecrets(text: string): string[] {
  if (!text.includes("://")) return [];
  const users = [...text.matchAll(userInfo)].flatMap(([found]) => found.slice(0, -1).split(":").slice(1));
  const parameters = [...text.matchAll(secretParameter)].flatMap(([value, name = ""]) =>
    isSecretKey(name, "") ? [value] : [],
  );
  return [...users, ...parameters];
}
