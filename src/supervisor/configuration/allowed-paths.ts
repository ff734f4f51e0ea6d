import { posix } from "node:path";

/**
 * Why a path or glob pattern of a configuration may not be used, or undefined when it lies at or below one
 * of the allowed absolute paths. Symbolic links are not followed.
 */
export function pathProblem(path: string, allowed: readonly string[]): string | undefined {
  if (!path.startsWith("/")) return `${JSON.stringify(path)} is not an absolute path`;
  const segments = path.split("/");
  const firstGlob = segments.findIndex((segment) => /[*?[\]{}\\]/.test(segment));
  if (firstGlob >= 0 && !isTameGlob(path))
    return `${JSON.stringify(path)} could lead out of an allowed directory`;
  const fixed = firstGlob < 0 ? path : segments.slice(0, firstGlob).join("/");
  const target = posix.normalize(`${fixed}/`);
  const inside = allowed.some((directory) => target.startsWith(posix.normalize(`${directory}/`)));
  return inside ? undefined : `${JSON.stringify(path)} is not below an allowed path`;
}

/** No way to spell `..` in it: not as such, not by an escape, not by putting alternatives together. */
function isTameGlob(pattern: string): boolean {
  if (pattern.includes("\\") || /(?:^|\/)\.\.(?:\/|$)/.test(pattern)) return false;
  const withoutBraces = pattern.replaceAll(/\{[\w*?-][\w*?.-]*(?:,[\w*?-][\w*?.-]*)*\}/g, "x");
  return !/[{}]/.test(withoutBraces);
}
