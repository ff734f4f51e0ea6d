import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const source = fileURLToPath(new URL("../../src/supervisor/", import.meta.url));

/** Where it is decided that something of the server's is FAILED, and in what words. */
const rooms = ["change", "configuration", "connection", "packages", "report"];
const files = ["collector/binary.ts", "collector/validate.ts"];
/** Says why to the log alone. */
const otherwise = ["change/restart-command.ts"];

const literal = /(`(?:[^`\\]|\\.)*`|"(?:[^"\\]|\\.)*")/.source;
/** In these places stand the words of a reason, or its beginning. */
const places = [
  `\\b(?:reason|problem|missing)\\s*[:=]\\s*${literal}`,
  `new (?:ConfigurationError|PackageProblem|YamlProblem|UnusableOfferError)\\(\\s*${literal}`,
  `(?:\\brefuse|#limit)\\(${literal}`,
  `\\byield ${literal}`,
  "(?<=[\\s(])(`(?:the Collector|a component|Config apply|crash loop|taken back)[^`]*`)",
].map((pattern) => new RegExp(pattern, "g"));

/** A part of a reason that is the same whatever happened. */
export interface Reason {
  /** Relative to src/supervisor/. */
  file: string;
  words: string;
}

/** The words of every reason that the supervisor's source gives for a failure. */
export function findReasons(): Reason[] {
  const found = new Map<string, Reason>();
  for (const file of [...rooms.flatMap(sourcesOf), ...files]) {
    if (otherwise.includes(file)) continue;
    const text = readFileSync(join(source, file), "utf8");
    for (const place of places) {
      for (const [, words = ""] of text.matchAll(place)) {
        const fixed = longestFixedPart(words.slice(1, -1));
        // A single word is the name of a kind, and not said to anybody.
        if (fixed.length >= 8 && (fixed.includes(" ") || fixed === "interrupted"))
          found.set(fixed, { file, words: fixed });
      }
    }
  }
  return [...found.values()];
}

function sourcesOf(room: string): string[] {
  return readdirSync(join(source, room), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(room, name));
}

/** Of a template, whatever stands between what is put in. */
function longestFixedPart(template: string): string {
  const parts = template
    .split(/\$\{[^}]*\}?/)
    .map((part) => part.replaceAll("\\`", "`").replace(/^\W+/, "").trim());
  return parts.reduce((longest, part) => (part.length > longest.length ? part : longest), "");
}
