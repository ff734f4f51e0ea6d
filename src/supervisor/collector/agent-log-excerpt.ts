import { type CollectorLine, parseCollectorLine } from "./agent-log-line.ts";
import { cleanLine, clipText } from "./agent-log-text.ts";

export interface ExcerptOptions {
  /** Default 2048. */
  maxBytes?: number;
  /** Default 20. */
  maxLines?: number;
}

/** Attributes that only repeat themselves from line to line. */
const noise = new Set(["ts", "timestamp", "caller", "resource", "stacktrace"]);

const gap = "…";

/** The first error of a log and its last lines, bounded, in their order. */
export function makeExcerpt(text: string, { maxBytes = 2_048, maxLines = 20 }: ExcerptOptions = {}): string {
  const lines = text.split("\n").flatMap((raw) => {
    const parsed = parseCollectorLine(raw);
    const line = cleanLine(parsed.structured ? shorten(parsed) : raw);
    return line === "" ? [] : [{ line, isError: parsed.level === "error" }];
  });
  const firstError = lines.findIndex(({ isError }) => isError);
  const chosen = new Map<number, string>();
  let room = maxBytes - Buffer.byteLength(gap) - 1;
  const choose = (index: number, line: string) => {
    chosen.set(index, line);
    room -= Buffer.byteLength(line) + 1;
  };
  // The last line is where a failed start says why, so the first error may take half the room at most.
  const error = lines[firstError];
  if (error !== undefined) choose(firstError, clipText(error.line, Math.floor(maxBytes / 2)));
  for (let index = lines.length - 1; index >= 0 && chosen.size < maxLines; index -= 1) {
    const line = lines[index]?.line;
    if (line === undefined || chosen.has(index)) continue;
    const isLast = index === lines.length - 1;
    const fitting = isLast ? clipText(line, room - 1) : line;
    if (Buffer.byteLength(fitting) + 1 > room) break;
    choose(index, fitting);
  }
  return [...chosen]
    .sort(([a], [b]) => a - b)
    .flatMap(([index, line]) =>
      index === firstError && !chosen.has(index + 1) && index + 1 < lines.length ? [line, gap] : [line],
    )
    .join("\n");
}

/** The end of a sentence that an excerpt explains: first the line that says why, then the others. */
export function becauseOf(excerpt: string): string {
  if (excerpt === "") return "";
  const lines = excerpt.split("\n");
  const why = lines.findLast((line) => /^(?:Error|error|panic|fatal error|setpriv): /.test(line));
  return `: ${why === undefined ? excerpt : [why, ...lines.filter((line) => line !== why)].join("\n")}`;
}

function shorten({ level, message, attributes }: CollectorLine): string {
  const details = Object.entries(attributes)
    .filter(([key]) => !noise.has(key))
    .map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  return [`${level}: ${message}`, ...details].join(" ");
}
