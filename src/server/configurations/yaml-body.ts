import { isMap, parseAllDocuments } from "yaml";
import { firstLine } from "../../foundation/first-line.ts";
import { type Configuration, createConfiguration } from "./configuration.ts";

/** A pushed body that cannot be a Collector configuration; the message says why and what to do. */
export class ConfigurationBodyError extends Error {
  override readonly name = "ConfigurationBodyError";
}

/** What was posted, besides the bytes. */
export interface BodyOptions {
  /** The sender means "no configuration at all", which stops the Collector. */
  empty: boolean;
  contentType?: string | undefined;
}

/**
 * Makes a configuration of one unnamed entry (AC7) from a YAML document, kept byte for byte.
 * @throws ConfigurationBodyError when it is empty by accident, or no YAML mapping.
 */
export function configurationFromBody(
  body: Uint8Array,
  { empty, contentType = "" }: BodyOptions,
): Configuration {
  const text = decode(body);
  if (empty) {
    if (text.trim() === "") return createConfiguration({});
    throw new ConfigurationBodyError(
      "empty=true means no configuration at all, but the body is not empty: leave one of them out",
    );
  }
  if (text.trim() === "") {
    throw new ConfigurationBodyError(
      "the body is empty: send the YAML itself, or add ?empty=true to tell the Agents to stop their Collector",
    );
  }
  checkIsMapping(text, contentType);
  return createConfiguration({ "": { body, contentType: "text/yaml" } });
}

function decode(body: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    throw new ConfigurationBodyError("the body is not UTF-8 text: send the YAML itself");
  }
}

function checkIsMapping(text: string, contentType: string): void {
  const problem = mappingProblem(text, "the body");
  if (lostItsNewlines(text, contentType, problem)) {
    throw new ConfigurationBodyError(
      "the body is a single line that is not the YAML meant: curl's -d removes newlines, use --data-binary @FILE",
    );
  }
  if (problem !== undefined) throw new ConfigurationBodyError(problem);
}

/** Why this is not one YAML mapping, or undefined; `what` it is begins the sentence. */
export function mappingProblem(text: string, what: string): string | undefined {
  const documents = parseAllDocuments(text);
  if (!Array.isArray(documents)) return `${what} has no YAML document`;
  const [document, second] = documents;
  if (document === undefined) return `${what} has no YAML document`;
  const [error] = documents.flatMap((each) => each.errors);
  if (error !== undefined) {
    const [start] = error.linePos ?? [];
    const where = start === undefined ? "" : `, line ${start.line}, column ${start.col}`;
    return `${what} is not valid YAML${where}: ${parserMessage(error.message)}`;
  }
  if (second !== undefined) return `${what} has more than one YAML document: send one`;
  if (isMap(document.contents)) return undefined;
  return `${what} is not a YAML mapping, line ${lineOf(text, document.contents?.range?.[0])}: a Collector configuration starts with keys such as receivers:`;
}

/**
 * One long line gives itself away by not parsing; or, if it came as `-d` sends it,
 * by a comment that now swallows what followed it.
 */
function lostItsNewlines(text: string, contentType: string, problem: string | undefined): boolean {
  if (/[\r\n]/.test(text.trim())) return false;
  if (problem !== undefined) return /[:#]/.test(text);
  return contentType.startsWith("application/x-www-form-urlencoded") && /(^|\s)#/.test(text);
}

function lineOf(text: string, offset = 0): number {
  return text.slice(0, offset).split("\n").length;
}

/** The parser's message quotes the source below its first line, and names the place again in it. */
function parserMessage(message: string): string {
  return firstLine(message).replace(/ at line \d+, column \d+:?$/, "");
}
