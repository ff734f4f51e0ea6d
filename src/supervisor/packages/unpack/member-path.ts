import { PackageProblem } from "./package-problem.ts";

const maxNameBytes = 255;
const maxPathBytes = 1024;
const maxDepth = 32;

/**
 * Path of an archive's member below the folder it is unpacked to, without `.` and doubled slashes; "" is
 * that folder itself.
 * @throws PackageProblem for anything that is, or could be taken for, a path out of it.
 */
export function memberPath(name: string): string {
  const refuse = (why: string) => new PackageProblem(`member ${JSON.stringify(shorten(name))} ${why}`);
  if (name.startsWith("/")) throw refuse("has an absolute path");
  if (name.includes("\\")) throw refuse("has a backslash in its name");
  if (hasControlCharacter(name)) throw refuse("has a control character in its name");
  if (name.includes("\uFFFD") || !name.isWellFormed()) throw refuse("has a name that is not UTF-8");
  const segments = name.split("/").filter((segment) => segment !== "" && segment !== ".");
  if (segments.includes("..")) throw refuse("leads out of the package (..)");
  if (segments.some((segment) => Buffer.byteLength(segment) > maxNameBytes))
    throw refuse(`has a name longer than ${maxNameBytes} bytes`);
  const path = segments.join("/");
  if (segments.length > maxDepth || Buffer.byteLength(path) > maxPathBytes)
    throw refuse(`lies deeper than ${maxDepth} folders or has a path longer than ${maxPathBytes} bytes`);
  return path;
}

function hasControlCharacter(name: string): boolean {
  return Buffer.from(name).some((byte) => byte < 0x20 || byte === 0x7f);
}

function shorten(name: string): string {
  return name.length > 100 ? `${name.slice(0, 100)}…` : name;
}
