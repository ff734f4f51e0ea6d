import { existsSync, readdirSync, readFileSync } from "node:fs";
import { extname, join, relative } from "node:path";

/** One file of the web UI, in the forms in which the build has left it. */
export interface WebFile {
  readonly type: string;
  readonly body: Buffer;
  readonly encoded: Readonly<Partial<Record<WebEncoding, Buffer>>>;
}

/** The best first. */
export const webEncodings = ["br", "gzip"] as const;
export type WebEncoding = (typeof webEncodings)[number];

/** By their paths below `/`, such as `index.html`. */
export type WebFiles = ReadonlyMap<string, WebFile>;

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** Reads what the build has made, some hundred kilobytes; nothing where it has made nothing. */
export function loadWebFiles(directory: string): WebFiles {
  if (!existsSync(directory)) return new Map();
  const entries = readdirSync(directory, { withFileTypes: true, recursive: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const files = paths.flatMap((path): [string, WebFile][] => {
    const type = types[extname(path)];
    if (type === undefined) return [];
    const encoded = {
      ...(paths.includes(`${path}.br`) && { br: readFileSync(`${path}.br`) }),
      ...(paths.includes(`${path}.gz`) && { gzip: readFileSync(`${path}.gz`) }),
    };
    return [[relative(directory, path), { type, body: readFileSync(path), encoded }]];
  });
  return new Map(files);
}
