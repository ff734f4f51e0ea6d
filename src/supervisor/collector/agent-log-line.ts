/** One line of the Collector's log, whichever of its encodings it is in. */
export interface CollectorLine {
  level: "debug" | "info" | "warn" | "error";
  message: string;
  /** What the Collector added to the message, without level and message. */
  attributes: Record<string, unknown>;
  /** False for text that is not from its logger: a Go panic, the last words of a failed start. */
  structured: boolean;
}

const levels: Record<string, CollectorLine["level"]> = {
  debug: "debug",
  info: "info",
  warn: "warn",
  error: "error",
  dpanic: "error",
  panic: "error",
  fatal: "error",
};

/** Reads zap's JSON and console encodings; anything else is plain text. */
export function parseCollectorLine(line: string): CollectorLine {
  return fromJson(line) ?? fromConsole(line) ?? fromText(line);
}

function fromJson(line: string): CollectorLine | undefined {
  const record = parseObject(line);
  if (record === undefined) return undefined;
  const { level, msg, ...attributes } = record;
  const known = levels[String(level).toLowerCase()];
  if (known === undefined || typeof msg !== "string") return undefined;
  return { level: known, message: msg, attributes, structured: true };
}

/** `time, level, [logger name], caller, message, [JSON]`, separated by tabs. */
function fromConsole(line: string): CollectorLine | undefined {
  const [ts = "", levelName = "", ...rest] = line.split("\t");
  const level = levels[levelName.toLowerCase()];
  if (level === undefined || !/^\d{4}-\d\d-\d\dT/.test(ts)) return undefined;
  const caller = rest.findIndex((part, index) => index < 2 && /\.go:\d+$/.test(part));
  const parts = rest.slice(caller + 1);
  const last = parseObject(parts.at(-1) ?? "");
  const message = (last === undefined ? parts : parts.slice(0, -1)).join(" ");
  const where = caller === -1 ? {} : { caller: rest[caller] };
  return { level, message, attributes: { ts, ...where, ...last }, structured: true };
}

function fromText(line: string): CollectorLine {
  const level = /^(?:Error|panic|fatal error|setpriv): /.test(line) ? "error" : "info";
  return { level, message: line, attributes: {}, structured: false };
}

function parseObject(text: string): Record<string, unknown> | undefined {
  if (!text.startsWith("{")) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
