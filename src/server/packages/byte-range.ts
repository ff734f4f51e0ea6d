/** What a `Range` header asks for, of a file of some size (RFC 9110, section 14). Both ends are included. */
export type ByteRange = { t: "whole" } | { t: "part"; first: number; last: number } | { t: "unsatisfiable" };

/** One range is served; several, other units and what is malformed may be ignored, and are. */
export function parseByteRange(header: string | undefined, size: number): ByteRange {
  const [, from, to] = /^bytes=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(header?.trim() ?? "") ?? [];
  if (from === undefined || to === undefined || (from === "" && to === "")) return { t: "whole" };
  if (from === "") {
    const length = Math.min(Number(to), size);
    return length === 0 ? { t: "unsatisfiable" } : { t: "part", first: size - length, last: size - 1 };
  }
  const first = Number(from);
  const last = to === "" ? size - 1 : Number(to);
  if (to !== "" && last < first) return { t: "whole" };
  return first >= size ? { t: "unsatisfiable" } : { t: "part", first, last: Math.min(last, size - 1) };
}
