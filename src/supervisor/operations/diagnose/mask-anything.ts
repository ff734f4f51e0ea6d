import { redacted, withoutUrlSecrets } from "../../configuration/redact.ts";
import { SecretMasker } from "../../configuration/secrets.ts";

const privateKey = /-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----[\s\S]*?(?:-----END \1-----|$)/g;
const credential = /\b(bearer|basic|digest|apikey|splunk)(\s+|%20)[\w.~+/=:-]{6,}/gi;
const assignment =
  /((?:"|\\"|')?[\w.-]*(?:password|passwd|passphrase|secret|token|api[_-]?key|private[_-]?key|authorization|cookie)[\w.-]*(?:"|\\"|')?\s*[:=]\s*)(\\"(?:[^"\\]|\\\\.)*\\"|"(?:[^"\\]|\\.)*"|'[^']*'|[^\s,;}\]"']+)/gi;

/**
 * Hides in a text the secrets that are known, and whatever looks like one: old logs may hold what nothing on this host
 * knows any more. Rather too much than too little.
 */
export function makeMask(secrets: ReadonlySet<string>): (text: string) => string {
  const encoded = [...secrets].flatMap((secret) => {
    const bytes = Buffer.from(secret);
    return [bytes.toString("base64").replace(/=+$/, ""), bytes.toString("base64url"), bytes.toString("hex")];
  });
  const masker = new SecretMasker([...secrets, ...encoded]);
  return (text) =>
    withoutUrlSecrets(masker.mask(text.replaceAll(privateKey, redacted)))
      .replaceAll(credential, `$1$2${redacted}`)
      .replaceAll(assignment, (whole, name: string, value: string) =>
        /^["']?(?:\[REDACTED\]|null|true|false|\d*)["']?$/.test(value) ? whole : `${name}"${redacted}"`,
      );
}
