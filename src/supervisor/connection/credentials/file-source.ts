import { describeError } from "../../../foundation/errors.ts";
import { readSmallFile } from "../../configuration/small-file.ts";
import type { HeaderSource } from "./header-source.ts";
import { parseHeaderText } from "./header-text.ts";

const maxBytes = 64 * 1024;

/** `server.headers_file`: read for every connect, so that an edit counts from the next one on. */
export function fileSource(path: string, now: () => number): HeaderSource {
  const name = "server.headers_file";
  return {
    name,
    intervalMs: 0,
    expiryBufferMs: 0,
    async fetch() {
      const text = await readSmallFile(path, maxBytes);
      try {
        return parseHeaderText(text, now());
      } catch (error) {
        throw new Error(`${path}: ${describeError(error)}`);
      }
    },
  };
}
