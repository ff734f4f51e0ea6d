import { parseCollectorLine } from "./agent-log-line.ts";
import { cleanLine, clipText } from "./agent-log-text.ts";

/** Most of a reason that is worth reporting, in bytes. */
const maxMessageBytes = 4_096;

/**
 * The message in a command's output, on one line: from `Error:` or `panic:` to its end, without log lines
 * and without the usage text and stack traces that follow.
 */
export function validationMessage(output: string): string {
  const lines = output
    .split("\n")
    .map(cleanLine)
    .filter((line) => line !== "");
  const first = lines.findIndex((line) => /^(?:Error|panic|fatal error): /.test(line));
  const told = lines.slice(Math.max(0, first)).filter((line) => {
    return !parseCollectorLine(line).structured && !/^\d{4}[/-]\d\d[/-]\d\d[T ]/.test(line);
  });
  const end = told.findIndex((line) => /^(?:Usage:|Run '.* --help'|goroutine \d+ )/.test(line));
  const message = told.slice(0, end === -1 ? undefined : end);
  const joined = message.reduce((text, line) => {
    if (text === "") return line;
    return /[:;,]$/.test(text) ? `${text} ${line}` : `${text}; ${line}`;
  }, "");
  return clipText(joined.replace(/^Error: /, ""), maxMessageBytes);
}
