import type { Logger } from "../../foundation/logger.ts";
import { parseCollectorLine } from "./agent-log-line.ts";
import { cleanLine } from "./agent-log-text.ts";

/**
 * Writes each line of the Collector to `logger` (component `collector`) at the line's own level, its
 * fields as fields: `agent.passthrough_logs`.
 */
export function passThrough(logger: Logger): (line: string) => void {
  return (line) => {
    const { level, message, attributes } = parseCollectorLine(line);
    const text = cleanLine(message);
    if (text === "") return;
    // Nested, since the Collector's names may be the logger's own: `level`, `component`, `message`.
    const fields = Object.keys(attributes).length === 0 ? {} : { attributes };
    logger[level]({ event: "collector_log", ...fields }, text);
  };
}
