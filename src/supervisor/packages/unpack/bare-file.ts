import type { OfferedPackage } from "../offer.ts";
import { memberPath } from "./member-path.ts";
import type { BareFile } from "./unpack.ts";

/**
 * What a package's file is called where it is no archive. A top-level package is a program, named like
 * the package; an addon keeps the name it has in its URL, for a configuration to refer to.
 */
export function bareFileOf({ name, type, file }: Pick<OfferedPackage, "name" | "type" | "file">): BareFile {
  if (type === "top-level") return { name: name === "" ? "collector" : name, mode: 0o755 };
  return { name: nameInUrl(file.url) ?? name, mode: 0o644 };
}

function nameInUrl(url: string): string | undefined {
  try {
    const segment = decodeURIComponent(new URL(url).pathname.split("/").at(-1) ?? "");
    return segment !== "" && memberPath(segment) === segment && !segment.includes("/") ? segment : undefined;
  } catch {
    return undefined;
  }
}
