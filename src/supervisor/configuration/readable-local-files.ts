import { readFile } from "node:fs/promises";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import { readLocalFiles } from "./compose.ts";

/** Text of each local file that can be read; the others are named in the log. */
export async function readableLocalFiles(
  configFiles: readonly string[],
  logger: Logger,
): Promise<Readonly<Record<string, string>>> {
  const texts = await readLocalFiles(configFiles, (path) => readFile(path, "utf8"));
  const readable: Record<string, string> = {};
  for (const [file, text] of Object.entries(texts)) {
    if (typeof text === "string") readable[file] = text;
    else {
      const fields = { event: "config_file_skipped", file, problem: describeError(text) };
      logger.warn(fields, `local file ${file} cannot be read and is left out`);
    }
  }
  return readable;
}
