/** Anything a finished line can be written to. */
interface LineSink {
  write(line: string): unknown;
}

const levelMarks: Record<string, string> = {
  trace: "·",
  debug: "·",
  info: "•",
  warn: "▲",
  error: "✖",
  fatal: "✖",
};

const hidden = new Set(["timestamp", "level", "component", "event", "message"]);

/** Turns JSON log lines into `12:04:05.120 • opamp-agent  message  key=value`. */
export function terminalStream(sink: LineSink): LineSink {
  return { write: (line) => sink.write(formatForTerminal(line)) };
}

function formatForTerminal(line: string): string {
  let record: Record<string, unknown>;
  try {
    record = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return line;
  }
  const time = String(record.timestamp).slice(11, 23);
  const mark = levelMarks[String(record.level)] ?? "•";
  const fields = Object.entries(record)
    .filter(([key]) => !hidden.has(key))
    .map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  return `${[time, mark, String(record.component).padEnd(12), record.message, ...fields].join(" ")}\n`;
}
