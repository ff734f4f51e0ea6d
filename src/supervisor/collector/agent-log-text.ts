/** A log line without colour codes, control characters and trailing space. */
export function cleanLine(line: string): string {
  return line
    .replace(/\p{Cc}\[[0-9;]*[A-Za-z]/gu, "")
    .replace(/\t/g, " ")
    .replace(/\p{Cc}/gu, "")
    .trimEnd();
}

/** The text cut to `maxBytes` of UTF-8, with a mark where something was cut off. */
export function clipText(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return text;
  const mark = "…";
  return bytes.toString("utf8", 0, utf8Boundary(bytes, maxBytes - Buffer.byteLength(mark))) + mark;
}

/** The last position at or before `end` that does not split a character. */
export function utf8Boundary(bytes: Buffer, end: number): number {
  let position = Math.max(0, end);
  while (position > 0 && ((bytes[position] ?? 0) & 0xc0) === 0x80) position -= 1;
  return position;
}
