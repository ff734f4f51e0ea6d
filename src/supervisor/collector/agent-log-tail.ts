import { stat } from "node:fs/promises";
import { isMissing } from "../../foundation/errors.ts";
import { readRange } from "./agent-log-rotate.ts";

/** Read at a time, from the end backwards. */
const pieceBytes = 65_536;
/** Of each file at most, so that a log that nobody rotates does not fill the memory. */
const maxFileBytes = 32 * 1024 * 1024;
/** More copies than anybody keeps. */
const maxCopies = 100;

/** The end of a log. */
export interface LogTail {
  /** Oldest first, without their ends. */
  lines: string[];
  /** Where in the newest file what is not among the lines begins, in bytes. */
  end: number;
}

/**
 * The last `count` lines of a log and, where the file itself has not as many, of its rotated copies `PATH.1`,
 * `PATH.2` and so on. With `wholeOnly` a last line that is not finished yet is left for who reads on from `end`.
 * @throws when a file is there and cannot be read; one that is missing is empty.
 */
export async function readLogTail(
  path: string,
  count: number,
  { wholeOnly = false }: { wholeOnly?: boolean } = {},
): Promise<LogTail> {
  const newest = await readLastLines(path, count, wholeOnly);
  let { lines } = newest;
  for (let copy = 1; lines.length < count && copy <= maxCopies; copy += 1) {
    const name = `${path}.${copy}`;
    if ((await sizeOf(name)) === undefined) break;
    lines = [...(await readLastLines(name, count - lines.length, false)).lines, ...lines];
  }
  return { lines, end: newest.end };
}

async function readLastLines(path: string, count: number, wholeOnly: boolean): Promise<LogTail> {
  const size = (await sizeOf(path)) ?? 0;
  let start = size;
  let text = Buffer.alloc(0);
  // One line end more than lines: what stands before it is the line before.
  while (start > 0 && size - start < maxFileBytes && countLineEnds(text) <= count) {
    const from = Math.max(0, start - pieceBytes);
    text = Buffer.concat([await readRange(path, from, start), text]);
    start = from;
  }
  const unfinished = text.length - (text.lastIndexOf(0x0a) + 1);
  const end = wholeOnly ? size - unfinished : size;
  const lines = text.toString("utf8", 0, wholeOnly ? text.length - unfinished : text.length).split("\n");
  if (lines.at(-1) === "") lines.pop();
  return { lines: count === 0 ? [] : lines.slice(-count), end };
}

function countLineEnds(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(0x0a); at !== -1; at = bytes.indexOf(0x0a, at + 1)) count += 1;
  return count;
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
