import { createHash } from "node:crypto";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { DownloadRequest } from "./contract.ts";

/** A place that may have the file. */
export type Source = {
  /** For logs and reasons: without userinfo, query and folders, any of which may be a secret. */
  readonly name: string;
  /** Tells sources apart on disk without keeping their URL there. */
  readonly key: string;
} & (
  | { readonly t: "http"; readonly url: URL; readonly headers: Readonly<Record<string, string>> }
  | { readonly t: "file"; readonly path: string }
);

/**
 * Where to look, in order: the mirrors, then the URL of the offer, which alone gets the headers of the offer.
 * A URL that names no file (it ends in a slash) has no mirrors, nor has a file of this host.
 */
export function sourcesOf(
  { url, headers }: Pick<DownloadRequest, "url" | "headers">,
  mirrors: readonly string[],
): readonly Source[] {
  const offered = new URL(url);
  const file = fileNameOf(offered);
  const mirrored =
    file === undefined || offered.protocol === "file:"
      ? []
      : mirrors.map((base) => sourceAt(inFolder(base, file), {}));
  return [...mirrored, sourceAt(offered, headers)];
}

function sourceAt(url: URL, headers: Readonly<Record<string, string>>): Source {
  const key = createHash("sha256").update(url.href).digest("hex");
  if (url.protocol === "file:") {
    const path = fileURLToPath(url);
    return { t: "file", path, name: path, key };
  }
  return { t: "http", url, headers, name: nameOf(url), key };
}

/** The last segment of the path as it stands in the URL; undefined where none could be a file of a folder. */
function fileNameOf({ pathname }: URL): string | undefined {
  const segment = pathname.slice(pathname.lastIndexOf("/") + 1);
  const decoded = decode(segment);
  const usable = decoded !== undefined && decoded !== "" && basename(decoded) === decoded;
  return usable && !/^\.\.?$|[\0\\]/.test(decoded) ? segment : undefined;
}

/** A query of the base (a signature, a token) stays behind the name of the file. */
function inFolder(base: string, file: string): URL {
  const url = new URL(base);
  url.pathname = join(url.pathname, file);
  return url;
}

/** `https://host/…/file.tar.gz`: enough to know what is meant. */
function nameOf(url: URL): string {
  const folders = url.pathname.lastIndexOf("/");
  const path = folders === 0 ? url.pathname : `/…${url.pathname.slice(folders)}`;
  return `${url.protocol}//${url.host}${path}`;
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
