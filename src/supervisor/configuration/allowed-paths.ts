import { lstatSync, readlinkSync } from "node:fs";
import { posix } from "node:path";
import { describeError, errorCode } from "../../foundation/errors.ts";

/** Says why a path or glob pattern of a configuration may not be used; undefined when it may. */
export type PathRule = (path: string) => string | undefined;

/**
 * Paths at or below one of the allowed absolute paths, as they are written and after every symbolic link
 * that is there now. Links that a wildcard meets, or that are made later, are not seen.
 */
export function allowPaths(allowed: readonly string[], realPath = realPathOf): PathRule {
  const written = allowed.filter((path) => path.startsWith("/"));
  let real: readonly string[] | undefined;
  return (path) => {
    if (!path.startsWith("/")) return `${JSON.stringify(path)} is not an absolute path`;
    const fixed = fixedPart(path);
    if (fixed === undefined) return `${JSON.stringify(path)} could lead out of an allowed directory`;
    if (!isBelow(fixed, written)) return `${JSON.stringify(path)} is not below an allowed path`;
    try {
      real ??= written.map(realPath);
      if (isBelow(realPath(fixed), real)) return undefined;
      return `${JSON.stringify(path)} leads out of an allowed path by a symbolic link`;
    } catch (error) {
      return `${JSON.stringify(path)} cannot be followed (${errorCode(error) ?? describeError(error)})`;
    }
  };
}

/** What is before the first wildcard; undefined for a pattern that could mean anything. */
function fixedPart(path: string): string | undefined {
  const segments = path.split("/");
  const firstGlob = segments.findIndex((segment) => /[*?[\]{}\\]/.test(segment));
  if (firstGlob < 0) return path;
  return isTameGlob(path) ? segments.slice(0, firstGlob).join("/") : undefined;
}

function isBelow(path: string, directories: readonly string[]): boolean {
  const target = posix.normalize(`${path}/`);
  return directories.some((directory) => target.startsWith(posix.normalize(`${directory}/`)));
}

/** No way to spell `..` in it: not as such, not by an escape, not by putting alternatives together. */
function isTameGlob(pattern: string): boolean {
  if (pattern.includes("\\") || /(?:^|\/)\.\.(?:\/|$)/.test(pattern)) return false;
  const withoutBraces = pattern.replaceAll(/\{[\w*?-][\w*?.-]*(?:,[\w*?-][\w*?.-]*)*\}/g, "x");
  return !/[{}]/.test(withoutBraces);
}

/** As in the kernel. */
const maxLinks = 40;

/**
 * Where an absolute path leads, as the kernel goes it: link by link, and `..` from where the link led to.
 * What does not exist yet is taken as it is written, also behind a link to nowhere.
 * @throws when a directory may not be looked into, or links go round in circles.
 */
function realPathOf(path: string): string {
  const ahead = path.split("/").reverse();
  let here = "/";
  let links = 0;
  for (let name = ahead.pop(); name !== undefined; name = ahead.pop()) {
    const next = posix.join(here, name);
    const isName = name !== "" && name !== "." && name !== "..";
    if (!isName || lstatSync(next, { throwIfNoEntry: false })?.isSymbolicLink() !== true) {
      here = next;
      continue;
    }
    links += 1;
    if (links > maxLinks) throw new Error("too many symbolic links");
    const target = readlinkSync(next);
    if (target.startsWith("/")) here = "/";
    ahead.push(...target.split("/").reverse());
  }
  return here;
}
