/**
 * A text with all letters small, each in its place: programs change the case of what they quote. Unlike
 * `toLowerCase()` it never changes the length, nor a letter for the letters around it.
 */
export function foldCase(text: string): string {
  if (/^\p{ASCII}*$/u.test(text)) return text.toLowerCase();
  return text.replaceAll(/\p{Lu}|\p{Lt}/gu, (letter) => {
    const small = letter.toLowerCase();
    return small.length === letter.length ? small : letter;
  });
}

/** Longer ones are keys and certificates, which nobody puts into a URL. */
const maxUrlLength = 4096;

/** How a secret may be written in a message: as it is, or quoted for JSON, Go, YAML or a URL. */
export function writtenForms(secret: string): Set<string> {
  const json = inJson(secret);
  const go = inGo(json);
  const forms = [secret, json, go, inGoJson(json), inJson(go), secret.replaceAll("'", "''")];
  if (secret.length <= maxUrlLength) forms.push(encodeURIComponent(secret.toWellFormed()));
  return new Set(forms);
}

function inJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** `%q` of Go's fmt, which has other escapes for control characters than JSON. */
function inGo(json: string): string {
  return json
    .replaceAll("\\u0007", "\\a")
    .replaceAll("\\u000b", "\\v")
    .replaceAll("\u007f", "\\x7f")
    .replaceAll(/\\u00([01][0-9a-f])/g, "\\x$1");
}

/** Go's JSON is safe to put into HTML. */
function inGoJson(json: string): string {
  return json.replaceAll(/[<>&\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
