import { YamlProblem } from "../../foundation/collector-yaml/yaml-reader.ts";
import type { Logger } from "../../foundation/logger.ts";
import { readSource } from "../configuration/sources.ts";

/** The local files as they are now, text by path. One that was broken since it was accepted counts as it was then. */
export function withoutBroken(
  present: Readonly<Record<string, string>>,
  acceptedFiles: Readonly<Record<string, string>>,
  logger: Logger,
): Readonly<Record<string, string>> {
  const files = Object.entries(present).map(([file, text]) => {
    const accepted = acceptedFiles[file];
    const problem = accepted === undefined || accepted === text ? undefined : yamlProblem(text);
    if (accepted === undefined || problem === undefined) return [file, text] as const;
    const fields = { event: "config_file_refused", file, problem };
    logger.error(fields, `local file ${file} counts as it was before: ${problem}`);
    return [file, accepted] as const;
  });
  return Object.fromEntries(files);
}

function yamlProblem(text: string): string | undefined {
  try {
    readSource(text);
    return undefined;
  } catch (error) {
    if (!(error instanceof YamlProblem)) throw error;
    return `${error.line === undefined ? "" : `line ${error.line}: `}${error.message}`;
  }
}
